#include "torquant/core/fbgemm_qparams.h"

#include <gtest/gtest.h>

#include <limits>

#include "torquant/core/error.h"

namespace torquant {
namespace {

struct Case {
  float min;
  float max;
  int32_t quant_min;
  int32_t quant_max;
  bool symmetric;
  float scale;
  int32_t zero_point;
};

// Expected bits: torch 2.13's fused_moving_avg_obs_fake_quant, which calls LibTorch's copy of the rule.
constexpr Case kCases[] = {
    {-1.5f, 3.7f, 0, 255, false, 0x1.4e1ae8p-6f, 74},     {-1.5f, 3.7f, 0, 255, true, 0x1.dd5442p-6f, 128},
    {-1.5f, 3.7f, -128, 127, false, 0x1.4e1ae8p-6f, -54}, {-1.5f, 3.7f, -128, 127, true, 0x1.dd5442p-6f, 0},
    {0.0f, 0.0f, 0, 255, false, 0x1.99999ap-4f, 0},       {2.0f, 3.0f, 0, 255, false, 0x1.818182p-7f, 0},
    {-3.0f, -2.0f, 0, 255, true, 0x1.818182p-7f, 255},    {-1e-5f, 2e-5f, 0, 255, false, 0x1.ffb48p-15f, 85},
    {-1e-5f, 2e-5f, 0, 255, true, 0x1.ffb48p-15f, 128},   {0.0f, 1e-5f, 0, 255, false, 0x1.ffb48p-15f, 0},
    {-1e-5f, 0.0f, -128, 127, true, 0x1.ffb48p-15f, 127},
};

TEST(FbgemmQParams, IsLibTorchs) {
  for (const Case& c : kCases) {
    const FbgemmQParams chosen = choose_qparams_fbgemm({.min = c.min,
                                                        .max = c.max,
                                                        .quant_min = c.quant_min,
                                                        .quant_max = c.quant_max,
                                                        .preserve_sparsity = c.symmetric});
    EXPECT_EQ(static_cast<float>(chosen.scale), c.scale) << c.min << " " << c.max << " " << c.symmetric;
    EXPECT_EQ(chosen.zero_point, c.zero_point) << c.min << " " << c.max << " " << c.symmetric;
  }
}

TEST(FbgemmQParams, ReduceRangeHalvesTheCodes) {
  const FbgemmQParams reduced =
      choose_qparams_fbgemm({.min = -1.0f, .max = 3.0f, .quant_min = 0, .quant_max = 255, .reduce_range = true});
  EXPECT_EQ(reduced.scale, 4.0 / 127);
  EXPECT_EQ(reduced.zero_point, 32);  // 127 / 4 = 31.75
}

TEST(FbgemmQParams, PowersOfTwoRoundTheScaleUp) {
  const auto scale_of = [](float max) {
    return choose_qparams_fbgemm(
               {.min = 0.0f, .max = max, .quant_min = 0, .quant_max = 255, .force_scale_power_of_two = true})
        .scale;
  };
  EXPECT_EQ(scale_of(1.0f), 0x1p-7);  // 1/255 = 2^-7.99
  EXPECT_EQ(scale_of(1000.0f), 4.0);  // 3.9
  EXPECT_EQ(scale_of(255.0f), 1.0);
}

TEST(FbgemmQParams, RefusesWhatIsNoRange) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const auto choose = [](float min, float max, int32_t quant_min, int32_t quant_max) {
    choose_qparams_fbgemm({.min = min, .max = max, .quant_min = quant_min, .quant_max = quant_max});
  };
  EXPECT_THROW(choose(1.0f, 0.0f, 0, 255), Error);
  EXPECT_THROW(choose(nan, 1.0f, 0, 255), Error);
  EXPECT_THROW(choose(0.0f, inf, 0, 255), Error);
  EXPECT_THROW(choose(0.0f, 1.0f, 255, 255), Error);
  EXPECT_THROW(choose(0.0f, 1.0f, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()), Error);
  try {
    choose(0.0f, 1.0f, 7, 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "choose_qparams_fbgemm: quant_min 7 and quant_max 3\n"
                 "  allowed here: quant_min < quant_max, less than 2^31 apart");
  }
}

}  // namespace
}  // namespace torquant
