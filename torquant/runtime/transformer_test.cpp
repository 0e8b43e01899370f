// Nodes of transformers, run as one small model.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "tests/support/tiny_rotation.h"
#include "tests/support/tiny_transformer.h"
#include "torquant/format/tqm_file.h"
#include "torquant/runtime/session.h"

namespace torquant::runtime {
namespace {

constexpr size_t kTokens = TinyTransformer::kTokens, kNumbers = kTokens * TinyTransformer::kWidth;

class TransformerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 random(2);
    for (size_t i = 0; i < 4 * kTokens; ++i) {
      ids_.push_back(static_cast<int64_t>(random() % TinyTransformer::kRows));
      mask_.push_back(i % kTokens == 0 ? 1 : static_cast<int64_t>(random() % 3));
    }
  }
  void TearDown() override {
    unsetenv("TORQUANT_FORCE_ISA");
    std::free(memory_);
  }

  std::shared_ptr<const LoadedModel> load() {
    const Result<std::string> bytes = format::write_tqm(tiny_.model);
    EXPECT_TRUE(bytes.ok()) << (bytes.ok() ? "" : bytes.error().where + ": " + bytes.error().what);
    std::free(memory_);
    memory_ = std::aligned_alloc(64, (bytes->size() + 63) / 64 * 64);
    std::memcpy(memory_, bytes->data(), bytes->size());
    return *LoadedModel::from_memory(memory_, bytes->size());
  }
  Result<void> run(Session& session, std::vector<float>& output) const {
    const void* inputs[] = {ids_.data(), mask_.data()};
    float* outputs[] = {output.data()};
    return session.run(inputs, outputs);
  }
  std::vector<float> output_of(Session& session) const {
    const auto tokens = static_cast<size_t>(session.model().values[session.model().outputs[0]].sizes[1]);
    std::vector<float> output(session.plan().memory.batch * tokens * TinyTransformer::kWidth, -1);
    EXPECT_TRUE(run(session, output).ok());
    return output;
  }
  std::vector<float> output_of(const std::shared_ptr<const LoadedModel>& loaded, RunSize size, size_t threads) const {
    return output_of(**Session::make(loaded, size, threads));
  }

  // For all instruction sets, batches and numbers of threads.
  void expect_same_bits() {
    std::vector<float> expected;
    for (const CpuIsa isa : {CpuIsa::kScalar, CpuIsa::kAvx2, CpuIsa::kAvx512Vnni, CpuIsa::kNeonDot}) {
      if (!cpu_has(isa)) continue;
      setenv("TORQUANT_FORCE_ISA", std::string(name_of(isa)).c_str(), 1);
      const auto loaded = load();
      for (const size_t batch : {4, 1, 2}) {
        for (const size_t threads : {1, 2, 3, 4}) {
          const std::vector<float> output = output_of(loaded, batch, threads);
          if (expected.empty()) expected = output;
          EXPECT_EQ(std::memcmp(output.data(), expected.data(), output.size() * sizeof(float)), 0)
              << name_of(isa) << ", batch " << batch << ", threads " << threads;
        }
      }
    }
  }

  TinyTransformer tiny_;
  std::vector<int64_t> ids_, mask_;
  void* memory_ = nullptr;
};

TEST_F(TransformerTest, ComputesWhatFloatsDoBut8Bits) {
  const std::vector<float> output = output_of(load(), 4, 1);
  for (size_t image = 0; image < 4; ++image) {
    const std::vector<double> expected = tiny_.reference(ids_.data() + image * kTokens, mask_.data() + image * kTokens);
    double signal = 0, noise = 0;
    for (size_t i = 0; i < kNumbers; ++i) {
      const double error = static_cast<double>(output[image * kNumbers + i]) - expected[i];
      signal += expected[i] * expected[i];
      noise += error * error;
    }
    EXPECT_GT(10 * std::log10(signal / noise), 35) << "dB, sequence " << image;
  }
}

TEST_F(TransformerTest, GivesTheSameBitsForEachIsaBatchAndNumberOfThreads) {
  expect_same_bits();
  tiny_.at<format::Attention>(8).in_float = true;
  expect_same_bits();
}

TEST_F(TransformerTest, RefusesIdsThatTheTableDoesNotHaveAndWritesNothing) {
  const auto loaded = load();
  for (const int64_t id : {int64_t{11}, int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
    ids_[3] = id;
    std::vector<float> output(kNumbers, -1);
    const Result<void> done = run(**Session::make(loaded, 1, 1), output);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().where, "input ids");
    EXPECT_EQ(done.error().what, "holds " + std::to_string(id) + " at place 3");
    EXPECT_EQ(done.error().allowed, "0 to 10, the rows of embedding");
    EXPECT_EQ(output, std::vector<float>(kNumbers, -1));
  }
}

TEST_F(TransformerTest, TakesAConstantMaskForAllSequences) {
  const std::vector<float> hidden = {0, 0, -std::numeric_limits<float>::infinity(), 0, 0, 0};
  mask_.assign(4 * kTokens, 1);
  for (size_t i = 2; i < mask_.size(); i += kTokens) mask_[i] = 0;
  const std::vector<float> expected = output_of(load(), 4, 1);
  const auto constant = static_cast<format::ValueIndex>(tiny_.model.values.size());
  tiny_.model.values.push_back({.name = "hidden",
                                .type = format::ValueType::kFloat32,
                                .sizes = {1, 1, 1, TinyTransformer::kTokens},
                                .constant = hidden});
  tiny_.at<format::Attention>(8).mask = constant;
  EXPECT_EQ(output_of(load(), 4, 2), expected);
}

TEST_F(TransformerTest, TurnsHeadsByTheAnglesOfTheirToken) {
  TinyRotation rotation;
  constexpr size_t kTurned = TinyRotation::kHeads * TinyRotation::kSize;
  const std::span<const float> cos = rotation.model.values[1].constant, sin = rotation.model.values[2].constant;
  tiny_.model = rotation.model;
  const auto loaded = load();
  for (const int64_t length : {2, 5, 7}) {
    const auto tokens = static_cast<size_t>(length);
    std::vector<float> x(2 * tokens * TinyRotation::kRow), y(2 * tokens * kTurned), expected;
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 17) - 8;
    for (size_t row = 0; row < 2 * tokens; ++row) {
      for (size_t c = 0; c < kTurned; ++c) {
        const size_t at = c % 6, angle = row % tokens * 6 + at;
        const float* numbers = x.data() + row * TinyRotation::kRow + TinyRotation::kBegin;
        const float turned = at < 3 ? -numbers[c + 3] : numbers[c - 3];
        expected.push_back(numbers[c] * cos[angle] + turned * sin[angle]);
      }
    }
    const auto session = *Session::make(loaded, {2, length}, 3);
    const void* inputs[] = {x.data()};
    float* outputs[] = {y.data()};
    ASSERT_TRUE(session->run(inputs, outputs).ok());
    EXPECT_EQ(y, expected) << length;  // numbers in which nothing is rounded
  }
}

TEST_F(TransformerTest, ComputesForEachLengthWhatAModelOfThatLengthDoes) {
  TinyTransformer growing(3);
  growing.let_grow_to(9);
  std::vector<std::vector<float>> expected;
  for (int64_t length = 3; length <= 9; ++length) {
    const TinyTransformer fixed(length);
    tiny_.model = fixed.model;
    expected.push_back(output_of(load(), 2, 1));
  }
  tiny_.model = growing.model;
  const auto loaded = load();
  const auto session = *Session::make(loaded, {2, 4}, 2);
  for (const int64_t length : {4, 9, 3, 7, 8, 5, 6, 9}) {
    ASSERT_TRUE(session->resize({2, length}).ok());
    EXPECT_EQ(output_of(*session), expected[static_cast<size_t>(length) - 3]) << length;
    EXPECT_EQ(output_of(loaded, {2, length}, 1), expected[static_cast<size_t>(length) - 3]) << length;
  }
}

TEST_F(TransformerTest, RefusesLengthsThatItDoesNotTakeAndKeepsItsOwn) {
  TinyTransformer growing(3);
  growing.let_grow_to(9);
  tiny_.model = growing.model;
  const auto session = *Session::make(load(), {1, 5}, 1);
  const std::vector<float> before = output_of(*session);
  for (const int64_t length : {2, 10, -1}) {
    const Result<void> done = session->resize({1, length});
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().where, "length");
    EXPECT_EQ(done.error().what, std::to_string(length) + " was asked for");
    EXPECT_EQ(done.error().allowed, "3 to 9");
  }
  EXPECT_EQ(output_of(*session), before);
}

TEST_F(TransformerTest, HidesWhatComesLaterWhereItIsCausal) {
  mask_.assign(4 * kTokens, 1);
  tiny_.at<format::Attention>(8).causal = true;
  const auto loaded = load();
  const std::vector<float> before = output_of(loaded, 1, 1);
  ids_[4] = (ids_[4] + 1) % TinyTransformer::kRows;
  const std::vector<float> after = output_of(loaded, 1, 1);
  // What comes before changes by rounding alone: all tokens of a head share the scales of its values (K10.3).
  const auto change = [&](size_t token) {
    float most = 0;
    for (size_t i = token * TinyTransformer::kWidth; i < (token + 1) * TinyTransformer::kWidth; ++i)
      most = std::max(most, std::abs(before[i] - after[i]));
    return most;
  };
  for (size_t token = 0; token < 4; ++token) EXPECT_LT(change(token), 0.03f) << token;
  EXPECT_GT(change(4), 0.3f);
}

}  // namespace
}  // namespace torquant::runtime
