#include "torquant/core/quantize.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "torquant/core/float_formats.h"

namespace torquant {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

BlockLayout whole(int64_t count) {
  return BlockLayout("test", std::array<int64_t, 1>{count}, std::array<int64_t, 1>{count});
}

template <class T>
ConstArray array(const std::vector<T>& values) {
  return std::span<const T>(values);
}

std::vector<int8_t> quantize_all(const QuantizeArgs& args, const std::vector<float>& x, float scale, float zero_point) {
  std::vector<int8_t> codes(x.size());
  quantize(args, whole(static_cast<int64_t>(x.size())), array(x),
           {std::span<const float>(&scale, 1), std::span<const float>(&zero_point, 1)}, std::span<int8_t>(codes));
  return codes;
}

TEST(Quantize, RoundsTheQuotientThenAddsTheZeroPointThenClamps) {  // Q10
  EXPECT_EQ(quantize_all({}, {0.25f, 0.75f, 1.25f, -0.25f, 100, -100}, 0.5f, 3),
            (std::vector<int8_t>{3, 5, 5, 3, 127, -128}));  // rne(0.5) = 0, rne(1.5) = 2, rne(2.5) = 2
  EXPECT_EQ(quantize_all({.range = {-8, 7}}, {100, -100, kInf, -kInf}, 1, 0), (std::vector<int8_t>{7, -8, 7, -8}));
}

TEST(Quantize, MultipliesByTheReciprocal) {
  // 143.5 / 41 is the tie 3.5, so 4; the product with 1 / 41, rounded down in float32, is below 3.5.
  ASSERT_LT(143.5f * (1.0f / 41.0f), 3.5f);
  EXPECT_EQ(quantize_all({}, {143.5f}, 41, 0), (std::vector<int8_t>{3}));
}

TEST(Quantize, ZeroPointInsideTheRounding) {  // Q11
  const QuantizeArgs args = {.rule = ZeroPointRule::kBeforeRounding};
  EXPECT_EQ(quantize_all(args, {1.25f, 1.75f}, 0.5f, 1), (std::vector<int8_t>{4, 4}));  // rne(3.5), rne(4.5)
  EXPECT_EQ(quantize_all({}, {1.25f, 1.75f}, 0.5f, 1), (std::vector<int8_t>{3, 5}));    // rne(2.5) + 1, rne(3.5) + 1
}

TEST(Quantize, TinygemmDividesTheDistanceFromTheLowestValue) {  // Q12
  const QuantizeArgs args = {.rule = ZeroPointRule::kFloat, .range = {0, 15}};
  // zero point 9, scale 1: the lowest value is 9 - 8 = 1.
  EXPECT_EQ(quantize_all(args, {1, 2.5f, 16, 17, 0}, 1, 9), (std::vector<int8_t>{0, 2, 15, 15, 0}));
}

TEST(Quantize, WithoutZeroPoint) {  // Q13
  EXPECT_EQ(quantize_all({.rule = ZeroPointRule::kNone, .range = {-8, 7}}, {-1.5f, 2.5f, 9}, 1, 0),
            (std::vector<int8_t>{-2, 2, 7}));
}

TEST(Quantize, EachBlockHasItsOwnQParamsAlsoBeyondAChunk) {
  const int64_t cols = 1500;  // longer than the chunks of the loop
  std::vector<float> x(3 * cols, 6.0f);
  const std::vector<float> scale = {1, 2, 3};
  const std::vector<int32_t> zero_point = {0, 1, 2};
  std::vector<int8_t> codes(x.size());
  const BlockLayout rows("test", std::array<int64_t, 2>{3, cols}, std::array<int64_t, 2>{1, cols});
  quantize({}, rows, array(x), {array(scale), array(zero_point)}, std::span<int8_t>(codes));
  for (int64_t i = 0; i < 3 * cols; ++i) ASSERT_EQ(codes[i], (std::array{6, 4, 4})[i / cols]) << i;

  // Columns: the qparams change with every element.
  std::vector<float> column_scale(cols);
  for (int64_t c = 0; c < cols; ++c) column_scale[c] = c % 2 == 0 ? 1.0f : 2.0f;
  const std::vector<int32_t> no_zero_point(cols, 0);
  const BlockLayout columns("test", std::array<int64_t, 2>{3, cols}, std::array<int64_t, 2>{3, 1});
  quantize({}, columns, array(x), {array(column_scale), array(no_zero_point)}, std::span<int8_t>(codes));
  for (int64_t i = 0; i < 3 * cols; ++i) ASSERT_EQ(codes[i], i % cols % 2 == 0 ? 6 : 3) << i;
}

TEST(Quantize, HalfPrecisionRoundsEachStep) {
  // In bfloat16 1 / 3 is 0.333984375, and 7.5 times that 2.5049 is 2.5 (spacing 2^-6): a tie, so 2. In float32: 3.
  const std::vector<uint16_t> x = {bfloat16_from_float(7.5f)};
  const std::vector<uint16_t> scale = {bfloat16_from_float(3.0f)};
  const std::vector<int32_t> zero_point = {0};
  std::vector<int8_t> codes(1);
  quantize({}, whole(1), ConstArray(DType::kBFloat16, x.data(), 1),
           {ConstArray(DType::kBFloat16, scale.data(), 1), array(zero_point)}, std::span<int8_t>(codes));
  EXPECT_EQ(codes[0], 2);
  // 32767 is 32768 in bfloat16: the clamp's end is a bfloat16 too, and the cast to int16 wraps, as in PyTorch.
  const std::vector<uint16_t> large = {bfloat16_from_float(1e6f)};
  const std::vector<uint16_t> one = {bfloat16_from_float(1.0f)};
  std::vector<int16_t> wide(1);
  quantize({.range = {-32768, 32767}}, whole(1), ConstArray(DType::kBFloat16, large.data(), 1),
           {ConstArray(DType::kBFloat16, one.data(), 1), array(zero_point)}, std::span<int16_t>(wide));
  EXPECT_EQ(wide[0], -32768);
}

TEST(Quantize, NumbersAsQParamsAreNotRoundedFirst) {
  const std::vector<float> x = {1.0f};
  const double scale = 0.1;  // 1 / 0.1 is 10 in double, and 1 / float(0.1) is 9.9999999 in double, 10 in float
  const double zero_point = 5;
  std::vector<int8_t> codes(1);
  quantize({.scalar_qparams = true}, whole(1), array(x),
           {std::span<const double>(&scale, 1), std::span<const double>(&zero_point, 1)}, std::span<int8_t>(codes));
  EXPECT_EQ(codes[0], 15);
}

TEST(Dequantize, SubtractsThenMultiplies) {  // Q14
  const std::vector<int8_t> codes = {-128, 0, 3, 127};
  const std::vector<float> scale = {0.5f};
  const std::vector<int32_t> zero_point = {3};
  std::vector<float> real(4);
  dequantize({}, whole(4), array(codes), {array(scale), array(zero_point)}, std::span<float>(real));
  EXPECT_EQ(real, (std::vector<float>{-65.5f, -1.5f, 0, 62}));
}

TEST(Dequantize, IntegersSubtractExactly) {
  const std::vector<int32_t> codes = {16777217};  // no float32
  const std::vector<int64_t> zero_point = {16777216};
  const std::vector<float> scale = {0.5f};
  std::vector<float> real(1);
  DequantizeArgs args = {.difference_dtype = DType::kInt64};
  dequantize(args, whole(1), array(codes), {array(scale), array(zero_point)}, std::span<float>(real));
  EXPECT_EQ(real[0], 0.5f);
  args.difference_dtype = DType::kFloat32;
  dequantize(args, whole(1), array(codes), {array(scale), array(zero_point)}, std::span<float>(real));
  EXPECT_EQ(real[0], 0.0f);
}

TEST(Dequantize, TinygemmAddsTheZeroPoint) {  // Q15
  const std::vector<uint8_t> codes = {0, 8, 15};
  const std::vector<float> scale = {1};
  const std::vector<float> zero_point = {9};
  std::vector<float> real(3);
  dequantize({.rule = ZeroPointRule::kFloat, .range = {0, 15}}, whole(3), array(codes),
             {array(scale), array(zero_point)}, std::span<float>(real));
  EXPECT_EQ(real, (std::vector<float>{1, 9, 16}));
}

TEST(FakeQuantize, GivesTheGridAndTheMask) {  // Q16
  const std::vector<float> x = {0.3f, -5, 5, kNaN};
  const std::vector<float> scale = {0.5f};
  const std::vector<int32_t> zero_point = {1};
  std::vector<float> real(4);
  std::vector<uint8_t> mask(4);
  const Array mask_array(DType::kBool, mask.data(), 4);
  fake_quantize({.range = {-8, 7}}, whole(4), array(x), {array(scale), array(zero_point)}, std::span<float>(real),
                mask_array);
  EXPECT_EQ(real[0], 0.5f);
  EXPECT_EQ(real[1], -4.5f);  // code -9, clamped to -8
  EXPECT_EQ(real[2], 3.0f);   // code 11, clamped to 7
  EXPECT_TRUE(std::isnan(real[3]));
  EXPECT_EQ(mask, (std::vector<uint8_t>{1, 0, 0, 0}));
}

TEST(FakeQuantize, GradientIsGTimesScaleTimesReciprocalWhereTheMaskIs) {  // Q17
  const std::vector<float> grad = {1, 1, 2};
  const std::vector<uint8_t> mask = {1, 0, 1};
  const std::vector<float> scale = {41};  // 41 * (1 / 41) is 0.99999994 in float32
  const std::vector<int32_t> zero_point = {0};
  std::vector<float> result(3);
  fake_quantize_backward({}, whole(3), array(grad), ConstArray(DType::kBool, mask.data(), 3),
                         {array(scale), array(zero_point)}, std::span<float>(result));
  const float once = 41.0f * (1.0f / 41.0f);
  ASSERT_NE(once, 1.0f);
  EXPECT_EQ(result, (std::vector<float>{once, 0, 82.0f * (1.0f / 41.0f)}));
}

}  // namespace
}  // namespace torquant
