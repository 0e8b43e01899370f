#include "torquant/kernels/lanes/functions.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

// How far the functions are from the true values, by scalar.inc, over float32 in steps; rows_test.cpp compares the
// instruction sets with it. One ulp is the distance between the floats around the true value.

namespace torquant {
namespace {

#include "torquant/kernels/lanes/scalar.inc"

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

double ulp_at(double value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, std::max(exponent, -125) - 24);
}

// Expects |f(x) - truth(x)| of each number to be at most `ulps`, or `absolute` at most.
template <class F, class Truth>
void expect_within(double ulps, double absolute, F f, Truth truth, float from = -kInfinity, float to = kInfinity) {
  double worst = 0;
  float worst_x = 0;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 4999) {
    const auto x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnan(x) || x < from || x > to) continue;
    const double y = f(x), expected = truth(static_cast<double>(x));
    if (std::abs(expected) > std::numeric_limits<float>::max()) {
      ASSERT_TRUE(std::abs(y) >= std::numeric_limits<float>::max()) << x;
      continue;
    }
    const double error = std::abs(y - expected);
    ASSERT_FALSE(std::isnan(error)) << x << ": " << y << ", not " << expected;
    if (error > absolute && error / ulp_at(expected) > worst) worst = error / ulp_at(expected), worst_x = x;
  }
  EXPECT_LE(worst, ulps) << "at " << worst_x << ": " << f(worst_x) << ", not " << truth(static_cast<double>(worst_x));
  EXPECT_GT(worst, ulps / 2) << "a bound that says nothing";
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double gelu_of(double x) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); }

TEST(LaneFunctions, Exp) {
  expect_within(1.0, 0, exp<Lanes>, [](double x) { return std::exp(x); });
  EXPECT_EQ(exp<Lanes>(-kInfinity), 0);
  EXPECT_EQ(exp<Lanes>(kInfinity), kInfinity);
  EXPECT_EQ(exp<Lanes>(0), 1);
  EXPECT_TRUE(std::isnan(exp<Lanes>(kNan)));
}

TEST(LaneFunctions, ExpLessOne) {
  expect_within(1.0, 0, expm1_of_negative<Lanes>, [](double x) { return std::expm1(x); }, -kInfinity, 0);
  EXPECT_TRUE(std::isnan(expm1_of_negative<Lanes>(kNan)));
}

TEST(LaneFunctions, Log) {
  expect_within(1.0, 0, log<Lanes>, [](double x) { return std::log(x); }, 0x1p-149f, 3.4e38f);
  EXPECT_EQ(log<Lanes>(0), -kInfinity);
  EXPECT_EQ(log<Lanes>(-0.0f), -kInfinity);
  EXPECT_EQ(log<Lanes>(kInfinity), kInfinity);
  EXPECT_EQ(log<Lanes>(1), 0);
  EXPECT_TRUE(std::isnan(log<Lanes>(-1)));
  EXPECT_TRUE(std::isnan(log<Lanes>(-1e-40f)));
  EXPECT_TRUE(std::isnan(log<Lanes>(-kInfinity)));
  EXPECT_TRUE(std::isnan(log<Lanes>(kNan)));
}

TEST(LaneFunctions, LogOfOneAndAFraction) {
  expect_within(1.5, 0, log1p_of_fraction<Lanes>, [](double x) { return std::log1p(x); }, 0, 1);
}

TEST(LaneFunctions, Sigmoid) {
  expect_within(2.0, 0, sigmoid<Lanes>, sigmoid_of);
  EXPECT_EQ(sigmoid<Lanes>(-kInfinity), 0);
  EXPECT_EQ(sigmoid<Lanes>(kInfinity), 1);
  EXPECT_TRUE(std::isnan(sigmoid<Lanes>(kNan)));
}

TEST(LaneFunctions, Tanh) {
  expect_within(2.0, 0, tanh<Lanes>, [](double x) { return std::tanh(x); });
  EXPECT_EQ(tanh<Lanes>(-kInfinity), -1);
  EXPECT_EQ(tanh<Lanes>(kInfinity), 1);
  EXPECT_TRUE(std::isnan(tanh<Lanes>(kNan)));
}

TEST(LaneFunctions, Gelu) {
  expect_within(1.5, 4e-8, gelu<Lanes>, gelu_of, -1e38f, 1e38f);
  EXPECT_EQ(gelu<Lanes>(kInfinity), kInfinity);
  EXPECT_EQ(gelu<Lanes>(-kInfinity), 0);  // PyTorch: NaN
  EXPECT_TRUE(std::isnan(gelu<Lanes>(kNan)));
}

TEST(LaneFunctions, GeluByTanh) {
  expect_within(
      2.0, 1e-7, gelu_tanh<Lanes>,
      [](double x) { return x * sigmoid_of(2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); }, -1e38f, 1e38f);
  EXPECT_TRUE(std::isnan(gelu_tanh<Lanes>(kNan)));
}

TEST(LaneFunctions, Mish) {
  expect_within(
      5.0, 1e-38, mish<Lanes>,
      [](double x) {
        const double e = std::exp(std::min(x, 50.0));
        return x * (e * (e + 2) / (e * (e + 2) + 2));
      },
      -1e38f, 1e38f);
  EXPECT_TRUE(std::isnan(mish<Lanes>(kNan)));
}

TEST(LaneFunctions, Softplus) {
  expect_within(
      2.0, 0, softplus<Lanes>, [](double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); },
      -1e38f, 1e38f);
  EXPECT_TRUE(std::isnan(softplus<Lanes>(kNan)));
}

}  // namespace
}  // namespace torquant
