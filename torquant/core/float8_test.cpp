#include "torquant/core/float8.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "torquant/core/float_formats.h"

namespace torquant {
namespace {

const BlockLayout kRows("test", std::array<int64_t, 2>{2, 2}, std::array<int64_t, 2>{1, 2});

TEST(Float8, ScaleIsTheLargestMagnitudeOverTheFormatsLargest) {  // Q20
  const std::vector<float> x = {-896, 1, 224, 3};
  std::vector<float> scale(2);
  choose_scale_float8({}, kRows, std::span<const float>(x), std::span<float>(scale));
  EXPECT_EQ(scale, (std::vector<float>{2, 0.5f}));
  choose_scale_float8({.min_absmax = 448, .max_absmax = 448}, kRows, std::span<const float>(x),
                      std::span<float>(scale));
  EXPECT_EQ(scale, (std::vector<float>{1, 1}));
  choose_scale_float8({.float8 = DType::kFloat8E5M2, .power_of_two = true}, kRows, std::span<const float>(x),
                      std::span<float>(scale));
  EXPECT_EQ(scale, (std::vector<float>{0x1p-6f, 0x1p-8f}));  // 896 / 57344 = 2^-6
}

TEST(Float8, QuantizesWithSaturationAndBack) {  // Q21, Q22
  const std::vector<float> x = {1000, -1000, 1.0625f, 0};
  const std::vector<float> scale = {1, 1};
  std::vector<uint8_t> codes(4);
  const Array code_array(DType::kFloat8E4M3FN, codes.data(), 4);
  quantize_float8(kRows, std::span<const float>(x), std::span<const float>(scale), code_array);
  std::vector<float> real(4);
  dequantize_float8(kRows, code_array, std::span<const float>(scale), std::span<float>(real));
  EXPECT_EQ(real, (std::vector<float>{448, -448, 1, 0}));
}

TEST(Float8, ABlockOfZerosHasScaleZeroAndNaNCodes) {
  const std::vector<float> x = {0, 0, 1, 1};
  std::vector<float> scale(2);
  choose_scale_float8({}, kRows, std::span<const float>(x), std::span<float>(scale));
  EXPECT_EQ(scale[0], 0);
  std::vector<uint8_t> codes(4);
  quantize_float8(kRows, std::span<const float>(x), std::span<const float>(scale),
                  Array(DType::kFloat8E4M3FN, codes.data(), 4));
  EXPECT_TRUE(std::isnan(float8_to_float(codes[0], DType::kFloat8E4M3FN)));
  EXPECT_EQ(float8_to_float(codes[2], DType::kFloat8E4M3FN), 448);
}

}  // namespace
}  // namespace torquant
