#include "torquant/runtime/float_functions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "torquant/format/describe.h"

namespace torquant::runtime {
namespace {

using format::FloatFunction;

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

float apply(FloatFunction function, float x, float a = 0, float b = 0) {
  float y = kNan;
  select_float_function(function)(&x, &y, 1, a, b);
  return y;
}

struct Formula {
  FloatFunction function;
  float a, b;
  std::function<double(double x, double a, double b)> of;
  bool exact = false;  // one operation of float32, which rounds as double does
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

class FloatFunctions : public testing::TestWithParam<Formula> {};

TEST_P(FloatFunctions, GivesItsFormula) {
  const Formula& formula = GetParam();
  const std::vector<float> x = numbers();
  std::vector<float> y(x.size());
  select_float_function(formula.function)(x.data(), y.data(), x.size(), formula.a, formula.b);
  for (size_t i = 0; i < x.size(); ++i) {
    const auto expected = static_cast<float>(formula.of(x[i], formula.a, formula.b));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(y[i])) << x[i];
      continue;
    }
    // Two numbers that round the same value otherwise are neighbours.
    const bool near = !formula.exact && std::nextafter(expected, y[i]) == y[i];
    EXPECT_TRUE(y[i] == expected || near)
        << name_of(formula.function) << "(" << x[i] << "): " << y[i] << " is not " << expected;
    EXPECT_EQ(apply(formula.function, x[i], formula.a, formula.b), y[i]) << "alone, without vectors";
  }
  EXPECT_TRUE(std::isnan(apply(formula.function, kNan, formula.a, formula.b)));
}

INSTANTIATE_TEST_SUITE_P(
    All, FloatFunctions,
    testing::Values(
        Formula{FloatFunction::kClamp, -1, 2, [](double x, double a, double b) { return std::min(std::max(x, a), b); },
                true},
        Formula{FloatFunction::kClamp, 0, kInfinity, [](double x, double, double) { return std::max(x, 0.0); }, true},
        Formula{FloatFunction::kAdd, 1.3f, 0, [](double x, double a, double) { return x + a; }, true},
        Formula{FloatFunction::kSubtractFrom, 1.3f, 0, [](double x, double a, double) { return a - x; }, true},
        Formula{FloatFunction::kMultiply, -0.7f, 0, [](double x, double a, double) { return x * a; }, true},
        Formula{FloatFunction::kDivide, 0.7f, 0, [](double x, double a, double) { return x / a; }, true},
        Formula{FloatFunction::kDivideInto, 0.7f, 0, [](double x, double a, double) { return a / x; }, true},
        Formula{FloatFunction::kAbs, 0, 0, [](double x, double, double) { return std::abs(x); }, true},
        Formula{FloatFunction::kSqrt, 0, 0, [](double x, double, double) { return std::sqrt(x); }, true},
        Formula{FloatFunction::kLeakyRelu, 0.01f, 0, [](double x, double a, double) { return x > 0 ? x : x * a; },
                true},
        Formula{FloatFunction::kExp, 0, 0, [](double x, double, double) { return std::exp(x); }},
        Formula{FloatFunction::kLog, 0, 0, [](double x, double, double) { return std::log(x); }},
        Formula{FloatFunction::kElu, 1.5f, 0, [](double x, double a, double) { return x > 0 ? x : a * std::expm1(x); }},
        Formula{FloatFunction::kSigmoid, 0, 0, [](double x, double, double) { return sigmoid(x); }},
        Formula{FloatFunction::kTanh, 0, 0, [](double x, double, double) { return std::tanh(x); }},
        Formula{FloatFunction::kSilu, 0, 0, [](double x, double, double) { return x * sigmoid(x); }},
        Formula{FloatFunction::kGelu, 0, 0,
                [](double x, double, double) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); }},
        Formula{
            FloatFunction::kGeluTanh, 0, 0,
            [](double x, double, double) { return x * sigmoid(2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); }},
        Formula{FloatFunction::kMish, 0, 0,
                [](double x, double, double) { return x * std::tanh(x > 50 ? x : std::log1p(std::exp(x))); }},
        Formula{FloatFunction::kSoftplus, 2, 20,
                [](double x, double a, double b) { return x * a > b ? x : std::log1p(std::exp(x * a)) / a; }}));

// Of several operations of float32, in PyTorch's order.
TEST(FloatFunction, HardSigmoidAndHardSwishRoundEachStep) {
  for (const float x : numbers()) {
    const float six = std::min(std::max(x + 3.0f, 0.0f), 6.0f);
    EXPECT_EQ(apply(FloatFunction::kHardsigmoid, x), six / 6.0f);
    EXPECT_EQ(apply(FloatFunction::kHardswish, x), x * six / 6.0f);
  }
}

TEST(FloatArithmetic, GivesEachOperation) {
  const std::vector<float> a = {1.5f, -2.25f, 3.1f, 0, kInfinity}, b = {0.3f, 7, -0.1f, 0, 2};
  std::vector<float> y(a.size());
  const auto check = [&](format::FloatArithmetic arithmetic, auto op) {
    const FloatArithmeticKernels kernels = select_float_arithmetic(arithmetic);
    const auto same = [&](float left, float right, size_t i) {
      const float expected = op(left, right);
      EXPECT_TRUE(y[i] == expected || (std::isnan(y[i]) && std::isnan(expected)))
          << left << " " << name_of(arithmetic) << " " << right;
    };
    kernels.of_two(a.data(), b.data(), y.data(), y.size());
    for (size_t i = 0; i < y.size(); ++i) same(a[i], b[i], i);
    kernels.of_one_a(a.data(), b.data(), y.data(), y.size());
    for (size_t i = 0; i < y.size(); ++i) same(a[0], b[i], i);
    kernels.of_one_b(a.data(), b.data(), y.data(), y.size());
    for (size_t i = 0; i < y.size(); ++i) same(a[i], b[0], i);
  };
  check(format::FloatArithmetic::kAdd, std::plus<float>());
  check(format::FloatArithmetic::kSubtract, std::minus<float>());
  check(format::FloatArithmetic::kMultiply, std::multiplies<float>());
  check(format::FloatArithmetic::kDivide, std::divides<float>());
}

TEST(Softmax, SumsUpToOneAlongColumns) {
  constexpr size_t kCount = 7, kColumns = 140;  // more than a block of columns
  std::mt19937 random(2);
  std::vector<float> x(kCount * kColumns), y(x.size()), logs(x.size());
  for (float& each : x) each = std::uniform_real_distribution<float>(-90, 90)(random);
  softmax({.x = x.data(), .y = y.data(), .count = kCount, .step = kColumns, .columns = kColumns, .log = false});
  softmax({.x = x.data(), .y = logs.data(), .count = kCount, .step = kColumns, .columns = kColumns, .log = true});
  for (size_t c = 0; c < kColumns; ++c) {
    double sum = 0;
    for (size_t i = 0; i < kCount; ++i) sum += std::exp(static_cast<double>(x[i * kColumns + c]));
    for (size_t i = 0; i < kCount; ++i) {
      const double number = x[i * kColumns + c];
      EXPECT_FLOAT_EQ(y[i * kColumns + c], static_cast<float>(std::exp(number) / sum));
      EXPECT_NEAR(logs[i * kColumns + c], number - std::log(sum), 1e-5) << "half an ulp of up to 180";
    }
  }
}

TEST(FloatMean, AddsUpInDouble) {
  std::vector<float> x(1003);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += x[i] = static_cast<float>(i % 17) * 0.1f + (i == 5 ? 1e8f : 0);
  EXPECT_EQ(mean_of(x.data(), x.size()), static_cast<float>(sum / 1003));
  EXPECT_EQ(mean_of(x.data(), 3), static_cast<float>((static_cast<double>(x[0]) + x[1] + x[2]) / 3));
}

}  // namespace
}  // namespace torquant::runtime
