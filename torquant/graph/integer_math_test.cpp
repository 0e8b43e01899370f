// Expected values: Python's operators on the same numbers.
#include "torquant/graph/integer_math.h"

#include <gtest/gtest.h>

#include <limits>

namespace torquant {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

TEST(IntegerMath, WhatDoesNotFitIsNothing) {
  EXPECT_EQ(checked_add(kMax, 0), kMax);
  EXPECT_EQ(checked_add(kMax, 1), std::nullopt);
  EXPECT_EQ(checked_sub(kMin, 0), kMin);
  EXPECT_EQ(checked_sub(kMin, 1), std::nullopt);
  EXPECT_EQ(checked_mul(kMin / 2, 2), kMin);
  EXPECT_EQ(checked_mul(kMin, -1), std::nullopt);
  EXPECT_EQ(checked_floor_div(kMin, -1), std::nullopt);
  EXPECT_EQ(checked_mod(kMin, -1), 0);
}

TEST(IntegerMath, DivisionIsTowardsMinusInfinity) {
  EXPECT_EQ(checked_floor_div(7, 2), 3);
  EXPECT_EQ(checked_floor_div(-7, 2), -4);
  EXPECT_EQ(checked_floor_div(7, -2), -4);
  EXPECT_EQ(checked_floor_div(-7, -2), 3);
  EXPECT_EQ(checked_floor_div(-6, 2), -3);
  EXPECT_EQ(checked_floor_div(7, 0), std::nullopt);
  EXPECT_EQ(checked_mod(-7, 3), 2);
  EXPECT_EQ(checked_mod(7, -3), -2);
  EXPECT_EQ(checked_mod(-7, -3), -1);
  EXPECT_EQ(checked_mod(6, -3), 0);
  EXPECT_EQ(checked_mod(7, 0), std::nullopt);
}

TEST(IntegerMath, Powers) {
  EXPECT_EQ(checked_pow(-3, 3), -27);
  EXPECT_EQ(checked_pow(2, 62), int64_t{1} << 62);
  EXPECT_EQ(checked_pow(2, 63), std::nullopt);
  EXPECT_EQ(checked_pow(-2, 63), kMin);
  EXPECT_EQ(checked_pow(0, 0), 1);
  EXPECT_EQ(checked_pow(0, kMax), 0);
  EXPECT_EQ(checked_pow(-1, kMax), -1);
  EXPECT_EQ(checked_pow(2, -1), std::nullopt);
}

}  // namespace
}  // namespace torquant
