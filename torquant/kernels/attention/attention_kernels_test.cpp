#include "torquant/kernels/attention/attention_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "torquant/core/packed_weights.h"

namespace torquant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNaN = std::numeric_limits<float>::quiet_NaN();

// Every kernel of kernels.inc that this CPU runs.
class AttentionKernel : public testing::TestWithParam<AttentionKernels> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam().isa);
  }
};

struct Weights {
  std::vector<uint8_t> codes;
  float inverse_sum;
  bool operator==(const Weights&) const = default;
};

Weights weigh(const AttentionKernels& kernels, std::vector<float> scores) {
  Weights weights{.codes = std::vector<uint8_t>((scores.size() + 15) / 16 * 16, 99), .inverse_sum = -1};
  const size_t keys = scores.size();
  scores.resize(weights.codes.size(), kNaN);  // what lies behind a row may be anything
  kernels.weigh_keys({.rows = 1,
                      .keys = keys,
                      .scores = scores.data(),
                      .score_step = 0,
                      .mask = nullptr,
                      .mask_step = 0,
                      .first_limit = SIZE_MAX,
                      .limit_step = 0,
                      .codes = weights.codes.data(),
                      .code_step = 0,
                      .inverse_sum = &weights.inverse_sum});
  return weights;
}

// A code is off by a rounding and by what the cubic is (K10.2): 255 * 7.5e-5, and 1e-4 for float32.
TEST_P(AttentionKernel, WeighsByPowersOfTwo) {
  for (float t = 0; t > -25; t -= 0.0031f) {
    const Weights weights = weigh(GetParam(), {3.5f, 3.5f + t});
    EXPECT_EQ(weights.codes[0], 255);
    const double exact = 255 * std::exp2(static_cast<double>((3.5f + t) - 3.5f));
    EXPECT_NEAR(weights.codes[1], exact, 0.5 + 255 * 7.5e-5 + 1e-4) << t;
    EXPECT_EQ(weights.inverse_sum, 1 / static_cast<float>(255 + weights.codes[1]));
  }
}

TEST_P(AttentionKernel, WeighsNumbersNextToEachOther) {
  for (const float most : {0.0f, -0.0f, 1.0f, -1e-30f, 1e30f}) {
    const float next = std::nextafter(most, -kInfinity);
    EXPECT_EQ(weigh(GetParam(), {next, most}).codes[1], 255) << most;
    EXPECT_EQ(weigh(GetParam(), {next, most}), weigh(select_attention_kernels(CpuIsa::kScalar), {next, most})) << most;
  }
}

TEST_P(AttentionKernel, WeighsNothingThatIsNoNumber) {
  EXPECT_EQ(weigh(GetParam(), {kNaN, 1, -kInfinity, 1}).codes,
            (std::vector<uint8_t>{0, 255, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  for (const float all : {kNaN, kInfinity, -kInfinity}) {
    const Weights weights = weigh(GetParam(), std::vector<float>(40, all));
    EXPECT_EQ(weights.codes, std::vector<uint8_t>(48, 0)) << all;
    EXPECT_EQ(weights.inverse_sum, 0) << all;
  }
}

TEST_P(AttentionKernel, WeighsManyKeysExactly) {
  constexpr size_t kKeys = 65536;
  EXPECT_EQ(weigh(GetParam(), std::vector<float>(kKeys, -7)).inverse_sum, 1 / (255.0f * kKeys));
}

TEST_P(AttentionKernel, QuantizesTokens) {
  const std::vector<float> x = {1, -2, 0.5f, kNaN, 0, 0, 0, 0, 254, 1, 3, -254};
  std::vector<uint8_t> codes(3 * 16, 7);
  std::vector<float> scale(3);
  GetParam().quantize_tokens({.rows = 3,
                              .columns = 4,
                              .x = x.data(),
                              .x_step = 4,
                              .codes = codes.data(),
                              .codes_step = 16,
                              .scale = scale.data()});
  EXPECT_EQ(scale, (std::vector<float>{2.0f / 127, 0x1p-23f, 2}));
  std::vector<uint8_t> expected(3 * 16, 128);
  const uint8_t first[] = {192, 1, 160, 1}, last[] = {255, 128, 130, 1};  // 63.5, 0.5 and 1.5 go to even
  for (size_t i = 0; i < 4; ++i) expected[i] = first[i], expected[32 + i] = last[i];
  EXPECT_EQ(codes, expected);
}

TEST_P(AttentionKernel, PacksColumnsAsItQuantizesTokens) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const size_t columns : {1, 7, 15, 16}) {
    for (size_t rows = 1; rows <= 37; ++rows) {
      std::vector<float> x(rows * 17), transposed(columns * rows);
      for (float& number : x) number = normal(random);
      for (size_t row = 0; row < rows; ++row) {
        for (size_t column = 0; column < columns; ++column) transposed[column * rows + row] = x[row * 17 + column];
      }
      const size_t step = (rows + 15) / 16 * 16;
      std::vector<uint8_t> codes(columns * step);
      std::vector<float> expected_scale(columns), scale(16);
      GetParam().quantize_tokens({.rows = columns,
                                  .columns = rows,
                                  .x = transposed.data(),
                                  .x_step = rows,
                                  .codes = codes.data(),
                                  .codes_step = step,
                                  .scale = expected_scale.data()});
      std::vector<int8_t> weights;
      for (size_t column = 0; column < columns; ++column) {
        for (size_t row = 0; row < rows; ++row)
          weights.push_back(static_cast<int8_t>(codes[column * step + row] - 128));
      }
      const PackedShape shape{.channels = columns, .inputs = rows};
      std::vector<int8_t> expected(shape.bytes()), packed(shape.bytes(), 55);
      pack_weights(shape, weights.data(), expected.data());

      GetParam().pack_values({.rows = rows,
                              .columns = columns,
                              .x = x.data(),
                              .x_step = 17,
                              .packed = packed.data(),
                              .scale = scale.data()});

      EXPECT_EQ(packed, expected) << rows << " x " << columns;
      scale.resize(columns);
      EXPECT_EQ(scale, expected_scale) << rows << " x " << columns;
    }
  }
}

std::vector<AttentionKernels> all_kernels() {
  return {
#define TORQUANT_ATTENTION_KERNELS(suffix, isa) \
  {#suffix, CpuIsa::isa, quantize_tokens_##suffix, pack_values_##suffix, weigh_keys_##suffix},
#include "torquant/kernels/attention/kernels.inc"
#undef TORQUANT_ATTENTION_KERNELS
  };
}

INSTANTIATE_TEST_SUITE_P(All, AttentionKernel, testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SelectAttentionKernels, TakesTheBestThatTheIsaRuns) {
  EXPECT_EQ(std::string(select_attention_kernels(CpuIsa::kScalar).name), "scalar");
#if defined(__x86_64__)
  EXPECT_EQ(std::string(select_attention_kernels(CpuIsa::kAvx2).name), "avx2");
  EXPECT_EQ(std::string(select_attention_kernels(CpuIsa::kAvx512Vnni).name), "avx512vnni");
#elif defined(__aarch64__)
  EXPECT_EQ(std::string(select_attention_kernels(CpuIsa::kNeonDot).name), "neondot");
#endif
}

}  // namespace
}  // namespace torquant
