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

// A megabyte that unpacks to a gigabyte: refused by its size, before memory is taken for it.
TEST_F(Pt2Damage, AnInflatedTextIsRefused) {
  std::vector<zip_file::Entry> entries;
  for (const auto& [name, bytes] : good_records()) entries.push_back(zip_file::stored("bad/" + name, bytes));
  for (zip_file::Entry& entry : entries) {
    if (entry.name != "bad/models/model.json") continue;
    entry.packed = std::string(1'100'000, '\0');
    entry.method = 8;
    entry.size = 1'000'000'000;
  }
  EXPECT_EQ(error_of(folder_.write("bomb.pt2", zip_file::zip_of(entries))),
            "models/model.json has 1000000000 bytes\n  allowed here: 536870912 for a text");
}

TEST_F(Pt2Damage, NumbersThatAreNone) {
  const auto with_size = [&](const std::string& number) {
    return error_after([&](Records& records) {
      for (auto& [name, bytes] : records) {
        const std::string size = R"({"as_int":4})";
        if (name == "models/model.json") bytes.replace(bytes.find(size), size.size(), R"({"as_int":)" + number + "}");
      }
    });
  };
  EXPECT_NE(with_size("1e999").find("number overflow parsing '1e999'"), std::string::npos);
  EXPECT_NE(with_size("NaN").find("models/model.json: [json.exception.parse_error.101]"), std::string::npos);
  EXPECT_NE(with_size("4.0").find("expected an integer, found 4.0"), std::string::npos);
  EXPECT_NE(with_size("18446744073709551615").find("integer 18446744073709551615 does not fit 64 bits"),
            std::string::npos);
  EXPECT_NE(with_size("-4").find("size -4 is negative"), std::string::npos);
}

TEST_F(Pt2Damage, GraphsInARing) {
  const auto reads = [](size_t reader, const char* name) {
    return [=](Json& model) { node(model, reader)["inputs"][0]["arg"] = {{"as_tensor", {{"name", name}}}}; };
  };
  EXPECT_EQ(error_after_model(reads(0, "linear")),
            "models/model.json: node %linear (torch.ops.aten.linear.default): %linear: is read before it is defined");
  EXPECT_EQ(error_after_model(reads(0, "clamp")),
            "models/model.json: node %linear (torch.ops.aten.linear.default): %clamp: is read before it is defined");
}

// A name of a record is no path of the machine.
TEST_F(Pt2Damage, PayloadsOutsideTheArchive) {
  for (const char* path : {"../../../../etc/passwd", "/etc/passwd", "..\\secret"}) {
    const std::string error = error_after_weights([&](Json& config) { config["fc.weight"]["path_name"] = path; });
    EXPECT_EQ(error, std::string("has no member data/weights/") + path);
  }
}

}  // namespace
}  // namespace torquant
