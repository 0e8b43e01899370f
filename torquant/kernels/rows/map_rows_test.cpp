#include "torquant/kernels/rows/map_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "torquant/kernels/rows/rows.h"

namespace torquant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Dense around 0, out to where everything has saturated, and what is left of the range of float32.
std::vector<float> numbers() {
  std::vector<float> all = {0.0f, -0.0f, 1e-42f, -1e-42f, 1e-20f, -1e-20f, 3.0f, -3.0f, 1e30f, -1e30f};
  for (int i = -12000; i <= 12000; ++i) all.push_back(static_cast<float>(i) / 1000);
  std::mt19937 random(1);
  for (int i = 0; i < 4000; ++i) all.push_back(std::uniform_real_distribution<float>(-120, 120)(random));
  return all;
}

// rows_test.cpp compares the others with it.
const RowsKernels& kernels() { return select_rows_kernels(CpuIsa::kScalar); }

float apply(MapFunction function, float x, float a = 0, float b = 0) {
  float y = kNan;
  kernels().map({.count = 1, .x = &x, .y = &y, .function = function, .a = a, .b = b});
  return y;
}

double ulp_at(double value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, std::max(exponent, -125) - 24);
}

struct Formula {
  MapFunction function;
  float a, b;
  std::function<double(double x, double a, double b)> of;
  double ulps = 0.5;  // how far off at most: of one operation, half of one
  double absolute = 0;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

class MapFunctions : public testing::TestWithParam<Formula> {};

TEST_P(MapFunctions, GivesItsFormula) {
  const Formula& formula = GetParam();
  const std::vector<float> x = numbers();
  std::vector<float> y(x.size());
  kernels().map(
      {.count = x.size(), .x = x.data(), .y = y.data(), .function = formula.function, .a = formula.a, .b = formula.b});
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = formula.of(x[i], formula.a, formula.b);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(y[i])) << x[i];
    } else if (std::abs(expected) > std::numeric_limits<float>::max()) {
      EXPECT_TRUE(std::isinf(y[i])) << x[i];
    } else {
      EXPECT_LE(std::abs(y[i] - expected), std::max(formula.ulps * ulp_at(expected), formula.absolute))
          << static_cast<int>(formula.function) << " of " << x[i] << ": " << y[i] << ", not " << expected;
    }
  }
  EXPECT_TRUE(std::isnan(apply(formula.function, kNan, formula.a, formula.b)));
}

INSTANTIATE_TEST_SUITE_P(
    All, MapFunctions,
    testing::Values(
        Formula{MapFunction::kClamp, -1, 2, [](double x, double a, double b) { return std::min(std::max(x, a), b); }},
        Formula{MapFunction::kClamp, 0, kInfinity, [](double x, double, double) { return std::max(x, 0.0); }},
        Formula{MapFunction::kAdd, 1.3f, 0, [](double x, double a, double) { return x + a; }},
        Formula{MapFunction::kSubtractFrom, 1.3f, 0, [](double x, double a, double) { return a - x; }},
        Formula{MapFunction::kMultiply, -0.7f, 0, [](double x, double a, double) { return x * a; }},
        Formula{MapFunction::kDivide, 0.7f, 0, [](double x, double a, double) { return x / a; }},
        Formula{MapFunction::kDivideInto, 0.7f, 0, [](double x, double a, double) { return a / x; }},
        Formula{MapFunction::kAbs, 0, 0, [](double x, double, double) { return std::abs(x); }},
        Formula{MapFunction::kSqrt, 0, 0, [](double x, double, double) { return std::sqrt(x); }},
        Formula{MapFunction::kLeakyRelu, 0.01f, 0, [](double x, double a, double) { return x > 0 ? x : x * a; }},
        Formula{MapFunction::kExp, 0, 0, [](double x, double, double) { return std::exp(x); }, 1},
        Formula{MapFunction::kLog, 0, 0, [](double x, double, double) { return std::log(x); }, 1},
        Formula{MapFunction::kElu, 1.5f, 0, [](double x, double a, double) { return x > 0 ? x : a * std::expm1(x); },
                2},
        Formula{MapFunction::kSigmoid, 0, 0, [](double x, double, double) { return sigmoid(x); }, 2},
        Formula{MapFunction::kTanh, 0, 0, [](double x, double, double) { return std::tanh(x); }, 2},
        Formula{MapFunction::kSilu, 0, 0, [](double x, double, double) { return x * sigmoid(x); }, 3, 1e-36},
        Formula{MapFunction::kGelu, 0, 0,
                [](double x, double, double) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); }, 1.5, 4e-8},
        Formula{
            MapFunction::kGeluTanh, 0, 0,
            [](double x, double, double) { return x * sigmoid(2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); },
            2, 1e-7},
        Formula{MapFunction::kMish, 0, 0,
                [](double x, double, double) { return x * std::tanh(x > 50 ? x : std::log1p(std::exp(x))); }, 5, 1e-38},
        Formula{MapFunction::kSoftplus, 2, 20,
                [](double x, double a, double b) { return x * a > b ? x : std::log1p(std::exp(x * a)) / a; }, 2}));

// Of several operations of float32, in PyTorch's order.
TEST(HardFunctions, RoundEachStep) {
  for (const float x : numbers()) {
    const float six = std::min(std::max(x + 3.0f, 0.0f), 6.0f);
    EXPECT_EQ(apply(MapFunction::kHardsigmoid, x), six / 6.0f);
    EXPECT_EQ(apply(MapFunction::kHardswish, x), x * six / 6.0f);
  }
}

TEST(NotEqual, TellsWhatIsAnotherNumber) {
  for (const float x : numbers()) EXPECT_EQ(apply(MapFunction::kNotEqual, x), x != 0.0f ? 1.0f : 0.0f) << x;
  EXPECT_EQ(apply(MapFunction::kNotEqual, std::numeric_limits<float>::denorm_min()), 1.0f);
  EXPECT_EQ(apply(MapFunction::kNotEqual, std::numeric_limits<float>::quiet_NaN()), 1.0f);
  EXPECT_EQ(apply(MapFunction::kNotEqual, kInfinity), 1.0f);
  EXPECT_EQ(apply(MapFunction::kNotEqual, -0.0f), 0.0f);
}

TEST(BinaryFunctions, GiveEachOperation) {
  const std::vector<float> a = {1.5f, -2.25f, 3.1f, 0, kInfinity}, b = {0.3f, 7, -0.1f, 0, 2};
  std::vector<float> y(a.size());
  const auto check = [&](BinaryFunction function, auto op) {
    for (int one = 0; one < 4; ++one) {
      const bool one_a = one % 2 == 1, one_b = one / 2 == 1;
      kernels().binary({.count = y.size(),
                        .a = a.data(),
                        .b = b.data(),
                        .one_a = one_a,
                        .one_b = one_b,
                        .y = y.data(),
                        .function = function});
      for (size_t i = 0; i < y.size(); ++i) {
        const float expected = op(a[one_a ? 0 : i], b[one_b ? 0 : i]);
        EXPECT_TRUE(y[i] == expected || (std::isnan(y[i]) && std::isnan(expected))) << static_cast<int>(function) << i;
      }
    }
  };
  check(BinaryFunction::kAdd, std::plus<float>());
  check(BinaryFunction::kSubtract, std::minus<float>());
  check(BinaryFunction::kMultiply, std::multiplies<float>());
  check(BinaryFunction::kDivide, std::divides<float>());
}

}  // namespace
}  // namespace torquant
