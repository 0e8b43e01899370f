#include "torquant/runtime/float_functions.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace torquant::runtime {
namespace {

using format::FloatArithmetic;
using format::FloatFunction;

// e^x = power + power * rest with power = 2^k and rest = e^r - 1, |r| <= ln 2 / 2.
struct Exponential {
  double power, rest;

  double value() const { return power + power * rest; }
  double minus_one() const { return (power - 1) + power * rest; }  // exact near 0, where power is 1
};

// Beyond ±700 the results have long been 0 or infinity in float32, also of the largest numbers times e^x.
Exponential exponential(double x) {
  constexpr double kRound = 0x1.8p52;  // added: the lowest bits are the nearest integer
  x = x < -700 ? -700 : x > 700 ? 700 : x;
  const double shifted = x * 1.4426950408889634 + kRound;
  const double r = x - (shifted - kRound) * 0.6931471805599453;
  // Taylor's series to r^8 / 8!: the rest is below 2e-10 of the value, a hundredth of what rounding to float32 takes.
  double sum = 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 1.0 / 2;
  const uint64_t exponent = std::bit_cast<uint64_t>(shifted) + 1023;
  return {std::bit_cast<double>(exponent << 52), r + r * r * sum};
}

double exp_of(double x) { return exponential(x).value(); }

// erfc(z) for z >= 0 as t e^(P(t) - z²), t = 2 / (2 + z): P is a Chebyshev fit for t from 0.15 to 1, with an error of
// 2e-10 of the value; below, erfc is 0 in float32.
double upper_erfc(double z) {
  constexpr double kFit[] = {-0.016763106884868408, 0.30907409119918805, -1.7802667442779931, 5.193947851693484,
                             -8.912140216759568,    9.467183248127737,   -6.349936237224834,  2.9388876401458797,
                             -1.1634805036314633,   0.15640608852671858, 0.0435926917634537,  0.37926947118070164,
                             0.9997302750945746,    -1.2655045488578889};
  const double t = 2 / (2 + z);
  double sum = 0;
  for (const double term : kFit) sum = sum * t + term;
  return t * exp_of(sum - z * z);
}

double gelu(double x) {
  const double tail = upper_erfc(std::abs(x) * 0.7071067811865476);
  return 0.5 * x * (x > 0 ? 2 - tail : tail);
}

double gelu_tanh(double x) {
  const double inner = 0.7978845608028654 * (x + 0.044715 * x * x * x);
  return x / (1 + exp_of(-2 * inner));  // (1 + tanh(u)) / 2 is 1 / (1 + e^-2u)
}

double tanh_of(double x) {
  const double e = exponential(2 * x).minus_one();
  return e / (e + 2);
}

double mish(double x) {  // tanh(log(1 + e)) with e = e^x
  const double e = exp_of(x > 350 ? 350 : x), square = e * (e + 2);
  return x * (square / (square + 2));
}

float to_six(float x) { return x < 0 ? 0 : x > 6 ? 6 : x; }

template <class F>
void map(const float* x, float* y, size_t count, F f) {
  for (size_t i = 0; i < count; ++i) y[i] = static_cast<float>(f(x[i]));
}

// One function a kernel, so that each becomes a loop of its own that the compiler makes vectors of.
#define TORQUANT_MAP(formula)                                              \
  return [](const float* in, float* out, size_t count, float a, float b) { \
    (void)a, (void)b;                                                      \
    map(in, out, count, [a, b](float x) {                                  \
      (void)a, (void)b;                                                    \
      return formula;                                                      \
    });                                                                    \
  }

}  // namespace

FloatFunctionKernel select_float_function(FloatFunction function) {
  switch (function) {
    case FloatFunction::kClamp:
      TORQUANT_MAP((x < a ? a : x > b ? b : x));
    case FloatFunction::kAdd:
      TORQUANT_MAP(x + a);
    case FloatFunction::kSubtractFrom:
      TORQUANT_MAP(a - x);
    case FloatFunction::kMultiply:
      TORQUANT_MAP(x * a);
    case FloatFunction::kDivide:
      TORQUANT_MAP(x / a);
    case FloatFunction::kDivideInto:
      TORQUANT_MAP(a / x);
    case FloatFunction::kAbs:
      TORQUANT_MAP(std::abs(x));
    case FloatFunction::kExp:
      TORQUANT_MAP(exp_of(x));
    case FloatFunction::kLog:
      TORQUANT_MAP(std::log(static_cast<double>(x)));
    case FloatFunction::kSqrt:
      TORQUANT_MAP(std::sqrt(x));
    case FloatFunction::kLeakyRelu:
      TORQUANT_MAP((x > 0 ? x : x * a));
    case FloatFunction::kElu:
      TORQUANT_MAP((x > 0 ? x : a * exponential(x).minus_one()));
    case FloatFunction::kSigmoid:
      TORQUANT_MAP(1 / (1 + exp_of(-static_cast<double>(x))));
    case FloatFunction::kHardsigmoid:
      TORQUANT_MAP(to_six(x + 3) / 6);
    case FloatFunction::kTanh:
      TORQUANT_MAP(tanh_of(x));
    case FloatFunction::kSilu:
      TORQUANT_MAP(x / (1 + exp_of(-static_cast<double>(x))));
    case FloatFunction::kHardswish:
      TORQUANT_MAP(x * to_six(x + 3) / 6);
    case FloatFunction::kGelu:
      TORQUANT_MAP(gelu(x));
    case FloatFunction::kGeluTanh:
      TORQUANT_MAP(gelu_tanh(x));
    case FloatFunction::kMish:
      TORQUANT_MAP(mish(x));
    case FloatFunction::kSoftplus:
      TORQUANT_MAP((x * a > b ? x : std::log1p(exp_of(static_cast<double>(x) * a)) / a));
  }
  return nullptr;
}

namespace {

template <class F>
constexpr FloatArithmeticKernels kernels_of() {
  return {[](const float* a, const float* b, float* y, size_t count) {
            for (size_t i = 0; i < count; ++i) y[i] = F{}(a[i], b[i]);
          },
          [](const float* a, const float* b, float* y, size_t count) {
            const float one = *a;
            for (size_t i = 0; i < count; ++i) y[i] = F{}(one, b[i]);
          },
          [](const float* a, const float* b, float* y, size_t count) {
            const float one = *b;
            for (size_t i = 0; i < count; ++i) y[i] = F{}(a[i], one);
          }};
}

}  // namespace

FloatArithmeticKernels select_float_arithmetic(FloatArithmetic arithmetic) {
  switch (arithmetic) {
    case FloatArithmetic::kAdd:
      return kernels_of<std::plus<float>>();
    case FloatArithmetic::kSubtract:
      return kernels_of<std::minus<float>>();
    case FloatArithmetic::kMultiply:
      return kernels_of<std::multiplies<float>>();
    case FloatArithmetic::kDivide:
      return kernels_of<std::divides<float>>();
  }
  return {};
}

void softmax(const SoftmaxArgs& args) {
  constexpr size_t kBlock = 128;
  for (size_t first = 0; first < args.columns; first += kBlock) {
    const size_t columns = std::min(kBlock, args.columns - first);
    const float* x = args.x + first;
    float* y = args.y + first;
    float most[kBlock];
    double sum[kBlock] = {};
    std::copy_n(x, columns, most);
    for (size_t i = 1; i < args.count; ++i) {
      for (size_t c = 0; c < columns; ++c) most[c] = std::max(most[c], x[i * args.step + c]);
    }
    for (size_t i = 0; i < args.count; ++i) {
      for (size_t c = 0; c < columns; ++c) {
        const double e = exp_of(static_cast<double>(x[i * args.step + c]) - most[c]);
        sum[c] += e;
        if (!args.log) y[i * args.step + c] = static_cast<float>(e);
      }
    }
    for (size_t c = 0; c < columns; ++c) sum[c] = args.log ? std::log(sum[c]) + most[c] : 1 / sum[c];
    for (size_t i = 0; i < args.count; ++i) {
      for (size_t c = 0; c < columns; ++c) {
        const size_t at = i * args.step + c;
        y[at] = static_cast<float>(args.log ? x[at] - sum[c] : y[at] * sum[c]);
      }
    }
  }
}

float mean_of(const float* x, size_t count) {
  constexpr size_t kSums = 8;  // side by side, in one order on all CPUs
  double sums[kSums] = {};
  size_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (size_t j = 0; j < kSums; ++j) sums[j] += x[i + j];
  }
  double sum = 0;
  for (; i < count; ++i) sum += x[i];
  for (const double part : sums) sum += part;
  return static_cast<float>(sum / static_cast<double>(count));
}

}  // namespace torquant::runtime
