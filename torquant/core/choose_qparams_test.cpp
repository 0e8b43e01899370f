#include "torquant/core/choose_qparams.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

QParams choose(double min, double max, MappingType mapping, QuantRange range, DType compute = DType::kFloat32) {
  return choose_qparams(min, max, {.mapping = mapping, .range = range, .compute = compute});
}

TEST(ChooseQParams, SymmetricDividesByHalfTheRange) {  // Q5
  EXPECT_EQ(choose(-1, 2, MappingType::kSymmetric, {-128, 127}).scale, static_cast<float>(2 / 127.5f));
  EXPECT_EQ(choose(-3, 2, MappingType::kSymmetric, {-8, 7}).scale, static_cast<float>(3 / 7.5f));
  EXPECT_EQ(choose(-3, 2, MappingType::kSymmetric, {-8, 7}).zero_point, 0);
  EXPECT_EQ(choose(-3, 2, MappingType::kSymmetric, {0, 255}).zero_point, 128);
  EXPECT_EQ(choose(-3, 2, MappingType::kSymmetric, {3, 200}).zero_point, 102);
  EXPECT_EQ(choose(-3, 2, MappingType::kSymmetric, {-2, 0}).zero_point, 0);  // -0.5 towards zero
}

TEST(ChooseQParams, SymmetricWithoutClippingTakesTheLargerScale) {  // Q5
  EXPECT_EQ(choose(-8, 7, MappingType::kSymmetricNoClippingErr, {-8, 7}).scale, 1);
  EXPECT_EQ(choose(-16, 7, MappingType::kSymmetricNoClippingErr, {-8, 7}).scale, 2);
  EXPECT_EQ(choose(-8, 14, MappingType::kSymmetricNoClippingErr, {-8, 7}).scale, 2);
  EXPECT_EQ(choose(-8, 30, MappingType::kSymmetricNoClippingErr, {0, 15}).scale, 2);  // -8 / 0 loses
}

TEST(ChooseQParams, AsymmetricIncludesZero) {  // Q5
  const QParams both = choose(-1, 3, MappingType::kAsymmetric, {0, 255});
  EXPECT_EQ(both.scale, static_cast<float>(4 / 255.0f));
  EXPECT_EQ(both.zero_point, 64);  // rne(63.75)
  const QParams positive = choose(2, 4, MappingType::kAsymmetric, {-128, 127});
  EXPECT_EQ(positive.scale, static_cast<float>(4 / 255.0f));
  EXPECT_EQ(positive.zero_point, -128);
  EXPECT_EQ(choose(-4, -2, MappingType::kAsymmetric, {-128, 127}).zero_point, 127);
}

TEST(ChooseQParams, ScaleHasAFloor) {
  EXPECT_EQ(choose(0, 0, MappingType::kAsymmetric, {0, 255}).scale, 0x1p-126);
  EXPECT_EQ(choose(-1e-40, 1e-40, MappingType::kSymmetric, {-8, 7}).scale, 0x1p-126);
  EXPECT_EQ(choose(0, 0, MappingType::kAsymmetric, {0, 255}, DType::kFloat16).scale, 0x1p-14);
  EXPECT_EQ(choose_qparams(-1, 1, {.range = {-128, 127}, .eps = 0.5}).scale, 0.5);
  // The zero point is computed with the scale after its floor.
  EXPECT_EQ(choose_qparams(-1, 1, {.range = {-128, 127}, .eps = 0.5}).zero_point, -126);
}

TEST(ChooseQParams, EveryOperationIsRoundedToTheComputeDtype) {
  // 3 + 0.0234375 is 3.03125 in bfloat16 (spacing 2^-6), and that / 255 is 0x1.86p-7; the unrounded sum's is 0x1.84p-7.
  EXPECT_EQ(choose(-0.0234375, 3, MappingType::kAsymmetric, {0, 255}, DType::kBFloat16).scale, 0x1.86p-7);
}

TEST(ChooseQParams, NaNAndInfinityShowInTheScale) {
  EXPECT_TRUE(std::isnan(choose(kNaN, kNaN, MappingType::kAsymmetric, {0, 255}).scale));
  EXPECT_TRUE(std::isnan(choose(kNaN, kNaN, MappingType::kSymmetric, {-8, 7}).scale));
  EXPECT_EQ(choose(-1, kInf, MappingType::kAsymmetric, {0, 255}).scale, kInf);
  EXPECT_EQ(choose(-3e38, 3e38, MappingType::kAsymmetric, {0, 255}).scale, kInf);  // max - min overflows float32
}

TEST(ChooseQParams, TinygemmZeroPointIsTheMiddleCodesValue) {  // Q6
  const QParams qparams = choose_qparams(1, 16, {.rule = QParamsRule::kTinygemm, .range = {0, 15}});
  EXPECT_EQ(qparams.scale, 1);
  EXPECT_EQ(qparams.zero_point, 9);  // 1 + 1 * 8
}

TEST(ChooseQParams, DontPreserveZeroSaturatesTheZeroPoint) {  // Q7
  const QParams qparams = choose_qparams(15, 30, {.rule = QParamsRule::kDontPreserveZero, .range = {0, 15}});
  EXPECT_EQ(qparams.scale, 1);
  EXPECT_EQ(qparams.zero_point, 0);  // 0 - 15, clamped
}

TEST(ChooseQParams, PerTokenRules) {
  EXPECT_EQ(choose_scale_absmax(12.7, 127, DType::kFloat64), 12.7 / 127);  // Q8
  EXPECT_EQ(choose_scale_absmax(0, 127, DType::kFloat32), static_cast<float>(1e-5f / 127));
  // Q9: [-1, 254]: scale 1, errors -128 + -1 and 127 + 254 add up to 252 > 0: -128 - -1.
  const QParams low = choose_qparams_least_error(-1, 254, {-128, 127}, DType::kFloat32);
  EXPECT_EQ(low.scale, 1);
  EXPECT_EQ(low.zero_point, -127);
  EXPECT_EQ(choose_qparams_least_error(-254, 1, {-128, 127}, DType::kFloat32).zero_point, 126);
  EXPECT_EQ(choose_qparams_least_error(0, 0, {-128, 127}, DType::kFloat32).scale, 0x1p-23);
}

TEST(BlockMinMax, SeesEveryElementOfABlock) {  // Q4
  std::array<float, 4100> values;
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7);
  values[1] = -5;
  values[4099] = 50;
  const std::array<int64_t, 2> shape = {2, 2050};
  const std::array<int64_t, 2> block = {1, 2050};
  const BlockLayout layout("test", shape, block);
  std::array<float, 2> min;
  std::array<float, 2> max;
  block_min_max(std::span<const float>(values), layout, std::span<float>(min), std::span<float>(max));
  EXPECT_EQ(min, (std::array<float, 2>{-5, 0}));
  EXPECT_EQ(max, (std::array<float, 2>{6, 50}));

  values[100] = std::numeric_limits<float>::quiet_NaN();
  block_min_max(std::span<const float>(values), layout, std::span<float>(min), std::span<float>(max));
  EXPECT_TRUE(std::isnan(min[0]) && std::isnan(max[0]));
  EXPECT_EQ(max[1], 50);
}

TEST(QuantRange, IsCheckedAgainstTheDtype) {
  EXPECT_EQ(checked_quant_range("f", DType::kUInt4, {}, {}), (QuantRange{0, 15}));
  EXPECT_EQ(checked_quant_range("f", DType::kInt8, -127, {}), (QuantRange{-127, 127}));
  EXPECT_EQ(checked_quant_range("f", DType::kFloat8E4M3FN, {}, {}), (QuantRange{-448, 448}));
  const auto error_of = [](DType dtype, int64_t min, int64_t max) {
    return error_text([&] { checked_quant_range("f", dtype, min, max); });
  };
  EXPECT_EQ(error_of(DType::kInt8, -129, 127),
            "f: quant_min -129 and quant_max 127 are no range of int8\n"
            "  allowed here: -128 <= quant_min < quant_max <= 127");
  EXPECT_NE(error_of(DType::kUInt4, 0, 16), "");
  EXPECT_NE(error_of(DType::kInt8, 7, 7), "");
  EXPECT_NE(error_of(DType::kInt8, 10, -10), "");
  EXPECT_EQ(error_of(DType::kInt64, 0, 1),
            "f: int64 is no dtype of codes\n"
            "  allowed here: int1 to int8, uint1 to uint8, int16, uint16, int32, uint32, float8 dtypes");
  EXPECT_NE(error_of(DType::kFloat32, 0, 1), "");
}

}  // namespace
}  // namespace torquant
