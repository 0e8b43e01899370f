// Damaged archives: whatever the bytes, the answer is a program or an Error.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/pt2_test.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/verifier.h"

namespace torquant {
namespace {

using Pt2Damage = Pt2Test;

// What a damaged archive may still be used for, when it loads: each step ends or throws Error. True for an error.
bool use(const std::string& path) {
  bool failed = false;
  const auto step = [&](const auto& call) { failed |= !error_text(call).empty(); };
  step([&] {
    const Program program = load_pt2(path, {.allow_unknown_operators = true});
    step([&] { verify(program); });
    step([&] { to_text(program); });
    step([&] {
      const at::NoGradGuard no_grad;
      Interpreter(program).run({at::ones({2, 3})});
    });
  });
  return failed;
}

TEST_F(Pt2Damage, TruncatedAnywhereIsAnError) {
  const std::string bytes = read_file(good());
  for (size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 400) {
    EXPECT_NE(error_of(folder_.write("cut.pt2", bytes.substr(0, length))), "") << length;
  }
}

TEST_F(Pt2Damage, ADamagedTensorIsFound) {
  std::string bytes = read_file(good());
  const at::Tensor weight = *parse_program(kNet).find_state("fc.weight");
  const size_t at = bytes.find(std::string(static_cast<const char*>(weight.const_data_ptr()), 48));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 20] ^= 4;
  const std::string error = error_of(folder_.write("bad.pt2", bytes));
  EXPECT_TRUE(error.starts_with("corrupted: member data/weights/weight_0 has CRC-32")) << error;
}

TEST_F(Pt2Damage, RandomDamageNeverCrashes) {
  const std::string bytes = read_file(good());
  std::mt19937 random(1);
  int errors = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string bad = bytes;
    for (int flips = 0; flips < 1 + round % 4; ++flips) bad[random() % bad.size()] = static_cast<char>(random());
    errors += static_cast<int>(use(folder_.write("bad.pt2", bad)));
  }
  EXPECT_GT(errors, 500);
}

// With a right CRC.
TEST_F(Pt2Damage, RandomDamageOfTheTextsNeverCrashes) {
  const Records records = good_records();
  std::mt19937 random(2);
  constexpr std::string_view kLetters = "0123456789-{}[]\":,.eE_ truefalsnux";
  int errors = 0;
  for (int round = 0; round < 1500; ++round) {
    Records changed = records;
    for (auto& [name, bytes] : changed) {
      if (!name.ends_with(".json") || bytes.size() <= 2) continue;
      for (int edits = 0; edits < 1 + round % 3; ++edits) {
        bytes[random() % bytes.size()] = kLetters[random() % kLetters.size()];
      }
    }
    errors += static_cast<int>(use(write_records(changed)));
  }
  EXPECT_GT(errors, 500);
}

}  // namespace
}  // namespace torquant
