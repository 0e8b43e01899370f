#include "torquant/core/hqq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace torquant {
namespace {

TEST(Hqq, FirstGuessIsTheAffineRule) {  // Q24 without the search
  const std::vector<float> weight = {-1, 0, 1, 2, 0, 5, 10, 15};
  std::vector<uint8_t> codes(8);
  std::vector<float> inv_scale(2);
  std::vector<float> zero(2);
  hqq_quantize({.bits = 4, .rows = 2, .cols = 4, .optimize = false}, weight, codes, inv_scale, zero);
  EXPECT_EQ(inv_scale, (std::vector<float>{5, 1}));
  EXPECT_EQ(zero, (std::vector<float>{5, 0}));
  EXPECT_EQ(codes, (std::vector<uint8_t>{0, 5, 10, 15, 0, 5, 10, 15}));
}

TEST(Hqq, GroupsMayBeColumns) {
  const std::vector<float> weight = {-1, 0, 2, 15};  // columns (-1, 2) and (0, 15)
  std::vector<uint8_t> codes(4);
  std::vector<float> inv_scale(2);
  std::vector<float> zero(2);
  hqq_quantize({.bits = 4, .rows = 2, .cols = 2, .groups_are_rows = false, .optimize = false}, weight, codes, inv_scale,
               zero);
  EXPECT_EQ(inv_scale, (std::vector<float>{5, 1}));
  EXPECT_EQ(codes, (std::vector<uint8_t>{0, 0, 15, 15}));
}

TEST(Hqq, ConstantGroupsKeepAFiniteScale) {
  const std::vector<float> weight(4, 0.5f);
  std::vector<uint8_t> codes(4);
  std::vector<float> inv_scale(1);
  std::vector<float> zero(1);
  hqq_quantize({.bits = 4, .rows = 1, .cols = 4}, weight, codes, inv_scale, zero);
  EXPECT_EQ(inv_scale[0], 2e4f);
  EXPECT_NEAR((codes[0] - zero[0]) / inv_scale[0], 0.5f, 1 / 2e4f);
}

TEST(Hqq, TheSearchLowersTheErrorItMinimises) {
  std::mt19937 random(1);
  std::student_t_distribution<float> heavy_tails(3);
  std::vector<float> weight(64 * 64);
  for (float& w : weight) w = heavy_tails(random);
  const auto error_of = [&](bool optimize) {
    std::vector<uint8_t> codes(weight.size());
    std::vector<float> inv_scale(64);
    std::vector<float> zero(64);
    hqq_quantize({.bits = 3, .rows = 64, .cols = 64, .optimize = optimize}, weight, codes, inv_scale, zero);
    double error = 0;
    for (size_t i = 0; i < weight.size(); ++i) {
      error += std::pow(std::fabs(weight[i] - (codes[i] - zero[i / 64]) / inv_scale[i / 64]), 0.7);
    }
    return error;
  };
  EXPECT_LT(error_of(true), 0.99 * error_of(false));
}

TEST(HqqScaleOnly, FindsTheLeastSquaresScale) {  // Q25
  // From 7 / 8 all codes but the first are exact for scale 1; the search ends there or better.
  const std::vector<float> weight = {7, -3, 2, 1};
  std::vector<int32_t> codes(4);
  std::vector<float> scale(1);
  hqq_quantize_scale_only({.group_size = 4}, weight, codes, scale);
  double products = 0;
  double squares = 0;
  for (size_t i = 0; i < 4; ++i) {
    products += weight[i] * codes[i];
    squares += codes[i] * codes[i];
  }
  EXPECT_NEAR(scale[0], products / squares, 1e-6);
}

TEST(HqqScaleOnly, ZerosKeepTheFloor) {
  std::vector<int32_t> codes(2);
  std::vector<float> scale(1);
  hqq_quantize_scale_only({.group_size = 2}, std::vector<float>{0, 0}, codes, scale);
  EXPECT_EQ(scale[0], 0x1p-23f);
  EXPECT_EQ(codes, (std::vector<int32_t>{0, 0}));
}

}  // namespace
}  // namespace torquant
