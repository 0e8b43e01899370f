#include "torquant/core/float_formats.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace torquant {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr std::array kFloat8 = {DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2,
                                DType::kFloat8E5M2FNUZ, DType::kFloat8E8M0FNU};

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(bfloat16_from_float(1.0f), 0x3f80);
  EXPECT_EQ(round_to(1.00390625f, DType::kBFloat16), 1.0f);       // 1 + 2^-8: half way, to even
  EXPECT_EQ(round_to(1.01171875f, DType::kBFloat16), 1.015625f);  // 1 + 3 * 2^-8: half way, to even
  EXPECT_EQ(round_to(3.4e38f, DType::kBFloat16), kInf);
  EXPECT_TRUE(std::isnan(round_to(kNaN, DType::kBFloat16)));
}

TEST(Float16, RoundsToNearestEvenDenormalsIncluded) {
  EXPECT_EQ(float16_from_float(1.0f), 0x3c00);
  EXPECT_EQ(float16_to_float(0x0001), 0x1p-24f);
  EXPECT_EQ(round_to(0x1p-25f, DType::kFloat16), 0.0f);        // half of the least, to even
  EXPECT_EQ(round_to(0x1.8p-24f, DType::kFloat16), 0x1p-23f);  // half way, to even
  EXPECT_EQ(round_to(65519.0f, DType::kFloat16), 65504.0f);
  EXPECT_EQ(round_to(65520.0f, DType::kFloat16), kInf);
  EXPECT_EQ(round_to(-kInf, DType::kFloat16), -kInf);
  EXPECT_TRUE(std::isnan(round_to(kNaN, DType::kFloat16)));
  EXPECT_TRUE(std::signbit(round_to(-0.0f, DType::kFloat16)));
}

TEST(HalfFormats, EveryCodeComesBack) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const auto bits = static_cast<uint16_t>(code);
    const float half = float16_to_float(bits);
    const float brain = bfloat16_to_float(bits);
    ASSERT_TRUE(std::isnan(half) || float16_from_float(half) == bits) << code;
    ASSERT_TRUE(std::isnan(brain) || bfloat16_from_float(brain) == bits) << code;
  }
}

TEST(Float8, EveryCodeComesBack) {
  for (const DType format : kFloat8) {
    for (int code = 0; code < 256; ++code) {
      const float value = float8_to_float(static_cast<uint8_t>(code), format);
      if (std::isnan(value)) continue;
      ASSERT_EQ(float8_from_float(value, format), code) << dtype_name(format) << " " << value;
    }
  }
}

TEST(Float8, ValuesAreThoseOfTheFormats) {
  EXPECT_EQ(float8_max(DType::kFloat8E4M3FN), 448.0f);
  EXPECT_EQ(float8_max(DType::kFloat8E5M2), 57344.0f);
  EXPECT_EQ(float8_max(DType::kFloat8E4M3FNUZ), 240.0f);
  EXPECT_EQ(float8_max(DType::kFloat8E5M2FNUZ), 57344.0f);
  EXPECT_EQ(float8_to_float(0x01, DType::kFloat8E4M3FN), 0x1p-9f);
  EXPECT_EQ(float8_to_float(0x01, DType::kFloat8E5M2), 0x1p-16f);
  EXPECT_EQ(float8_to_float(0x7c, DType::kFloat8E5M2), kInf);
  EXPECT_TRUE(std::isnan(float8_to_float(0x7f, DType::kFloat8E4M3FN)));
  EXPECT_TRUE(std::isnan(float8_to_float(0x80, DType::kFloat8E4M3FNUZ)));
  EXPECT_EQ(float8_to_float(0, DType::kFloat8E8M0FNU), 0x1p-127f);
  EXPECT_TRUE(std::isnan(float8_to_float(255, DType::kFloat8E8M0FNU)));
}

TEST(Float8, RoundsToNearestEvenAndOverflows) {
  const auto through = [](float value, DType format) {
    return float8_to_float(float8_from_float(value, format), format);
  };
  EXPECT_EQ(through(1.0625f, DType::kFloat8E4M3FN), 1.0f);   // between 1 and 1.125: to even
  EXPECT_EQ(through(1.1875f, DType::kFloat8E4M3FN), 1.25f);  // between 1.125 and 1.25: to even
  EXPECT_EQ(through(0x1p-10f, DType::kFloat8E4M3FN), 0.0f);  // half of the least denormal: to even
  EXPECT_EQ(through(1.96875f, DType::kFloat8E4M3FN), 2.0f);  // carries into the exponent
  EXPECT_EQ(through(480.0f, DType::kFloat8E4M3FN), 448.0f);  // saturates, infinity too
  EXPECT_EQ(through(464.0f, DType::kFloat8E4M3FN), 448.0f);  // half way to the missing 480: to even
  EXPECT_EQ(through(1e6f, DType::kFloat8E5M2), kInf);
  EXPECT_EQ(through(-kInf, DType::kFloat8E5M2), -kInf);
  EXPECT_EQ(through(kInf, DType::kFloat8E4M3FN), 448.0f);
  EXPECT_TRUE(std::isnan(through(256.0f, DType::kFloat8E4M3FNUZ)));
  EXPECT_EQ(through(3.0f, DType::kFloat8E8M0FNU), 4.0f);  // 1.5 times a power of two rounds up
  EXPECT_EQ(through(2.9f, DType::kFloat8E8M0FNU), 2.0f);
}

TEST(RoundTo, LeavesTheDtypesOfTheArithmetic) {
  EXPECT_EQ(round_to(0.1f, DType::kFloat32), 0.1f);
  EXPECT_EQ(round_to(0.1, DType::kFloat64), 0.1);
  EXPECT_EQ(round_to(0.1, DType::kFloat32), static_cast<double>(0.1f));
  EXPECT_EQ(round_to(1e10, DType::kInt64), 1e10);
}

TEST(SmallestNormal, IsThatOfTheDtype) {
  EXPECT_EQ(smallest_normal(DType::kFloat32), 0x1p-126);
  EXPECT_EQ(smallest_normal(DType::kBFloat16), 0x1p-126);
  EXPECT_EQ(smallest_normal(DType::kFloat16), 0x1p-14);
  EXPECT_EQ(smallest_normal(DType::kFloat64), 0x1p-1022);
}

}  // namespace
}  // namespace torquant
