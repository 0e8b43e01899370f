#include "torquant/core/requantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace torquant {
namespace {

const TensorGrid kInput{.scale = 0.02, .zero_point = 7}, kOutput{.scale = 0.05, .zero_point = 3};

TEST(Requantize, GivesTheCodeOfTheRealOutput) {
  const Requantization how = requantization(kInput, /*weight_scale=*/0.01, /*bias=*/-0.4, kOutput);
  for (const int32_t accumulator : {-9000, -1000, 0, 1500, 1999, 40000}) {
    const double real = accumulator * 0.02 * 0.01 - 0.4;
    const double code = std::clamp(std::nearbyint(real / 0.05) + 3, 2.0, 250.0);
    EXPECT_EQ(requantize(accumulator, how, 2, 250), code) << accumulator;
  }
}

TEST(Requantize, AddsAResidual) {
  const TensorGrid residual{.scale = 0.03, .zero_point = 11};
  const Requantization how = requantization(kInput, 0.01, 0.2, kOutput, &residual);
  const float multiplier = residual_multiplier(residual, kOutput);
  for (const int32_t accumulator : {-2000, 0, 700, 5001}) {
    for (const uint8_t code : {0, 11, 100, 255}) {
      const double real = accumulator * 0.02 * 0.01 + 0.2 + 0.03 * (code - 11);
      const double expected = std::clamp(std::nearbyint(real / 0.05) + 3, 0.0, 255.0);
      EXPECT_EQ(requantize(accumulator, how, code, multiplier, 0, 255), expected) << accumulator << " " << code;
    }
  }
}

TEST(Requantize, RoundsTiesToEven) {
  const Requantization half{.multiplier = 0.5f, .offset = 10};
  EXPECT_EQ(requantize(1, half, 0, 255), 10);
  EXPECT_EQ(requantize(3, half, 0, 255), 12);
  EXPECT_EQ(requantize(-1, half, 0, 255), 10);
}

TEST(Requantize, RoundsTheSumOnce) {
  // 1/3 in float32 is below a third by 2^-26.6 of itself; the product of 3 alone would round to 1 and the sum to 0.
  const Requantization how{.multiplier = 0x1.555554p-2f, .offset = -1};
  EXPECT_EQ(std::fma(3.0f, how.multiplier, how.offset), -0x1p-24f);
  // A step of 2^24 makes the difference visible in a code.
  const Requantization scaled{.multiplier = how.multiplier * 0x1p24f, .offset = -0x1p24f + 5};
  EXPECT_EQ(requantize(3, scaled, 0, 255), 4);
}

TEST(Requantize, SaysWhichLayersFit) {
  const Requantization how = requantization(kInput, 0.01, -0.4, kOutput);
  EXPECT_TRUE(requantization_fits(how, 4608, 0));
  EXPECT_FALSE(requantization_fits(how, 70000, 0)) << "accumulators of more than 32 bits";
  EXPECT_FALSE(requantization_fits({.multiplier = 1e4f, .offset = 0}, 4608, 0));
  EXPECT_FALSE(requantization_fits({.multiplier = 1e-4f, .offset = 1e10f}, 64, 0));
  EXPECT_FALSE(requantization_fits(how, 64, 1e8f));
  EXPECT_FALSE(requantization_fits({.multiplier = std::numeric_limits<float>::quiet_NaN(), .offset = 0}, 64, 0));
}

}  // namespace
}  // namespace torquant
