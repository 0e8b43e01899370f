#include "torquant/core/rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace torquant {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(RoundHalfEven, TiesGoToTheEvenNeighbour) {
  EXPECT_EQ(round_half_even(0.5f), 0.0f);
  EXPECT_EQ(round_half_even(1.5f), 2.0f);
  EXPECT_EQ(round_half_even(2.5f), 2.0f);
  EXPECT_EQ(round_half_even(-2.5f), -2.0f);
  EXPECT_EQ(round_half_even(-3.5f), -4.0f);
  EXPECT_EQ(round_half_even(2.5000002f), 3.0f);
  EXPECT_EQ(round_half_even(0.49999997f), 0.0f);
  EXPECT_EQ(round_half_even(2.5), 2.0);
  EXPECT_EQ(round_half_even(4503599627370495.5), 4503599627370496.0);
}

TEST(RoundHalfEven, KeepsWhatIsNoFraction) {
  EXPECT_TRUE(std::signbit(round_half_even(-0.0f)));
  EXPECT_TRUE(std::signbit(round_half_even(-0.25f)));
  EXPECT_EQ(round_half_even(8388609.0f), 8388609.0f);
  EXPECT_EQ(round_half_even(-16777218.0f), -16777218.0f);
  EXPECT_EQ(round_half_even(kInf), kInf);
  EXPECT_TRUE(std::isnan(round_half_even(std::numeric_limits<float>::quiet_NaN())));
}

TEST(RoundHalfEven, IsTheFloatingPointUnitsOwnRounding) {
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 9973) {  // a prime step through all floats
    const auto x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    const float expected = std::nearbyint(x);
    const float rounded = round_half_even(x);
    ASSERT_TRUE(std::bit_cast<uint32_t>(rounded) == std::bit_cast<uint32_t>(expected) || std::isnan(x)) << x;
  }
}

TEST(Clamp, KeepsNaN) {
  EXPECT_EQ(clamp_keep_nan(5.0f, -1.0f, 1.0f), 1.0f);
  EXPECT_EQ(clamp_keep_nan(-kInf, -1.0f, 1.0f), -1.0f);
  EXPECT_EQ(clamp_keep_nan(0.5f, -1.0f, 1.0f), 0.5f);
  EXPECT_TRUE(std::isnan(clamp_keep_nan(std::nanf(""), -1.0f, 1.0f)));
}

}  // namespace
}  // namespace torquant
