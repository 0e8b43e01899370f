#pragma once

#include <cstddef>

#include "torquant/format/model.h"

namespace torquant::runtime {

// y[i] = f(x[i]) with the parameters of a format::FloatMap; y may be x. Clamps, sums, products, quotients, abs and sqrt
// have PyTorch's bits. The others are computed in double and rounded once, by our own sums and products, so that all
// CPUs give the same bits: within a unit in the last place of the true value.
using FloatFunctionKernel = void (*)(const float* x, float* y, size_t count, float a, float b);
FloatFunctionKernel select_float_function(format::FloatFunction function);

using FloatArithmeticKernel = void (*)(const float* a, const float* b, float* y, size_t count);
// Of two arrays; of an array and one number a[0] or b[0] that is repeated.
struct FloatArithmeticKernels {
  FloatArithmeticKernel of_two, of_one_a, of_one_b;
};
FloatArithmeticKernels select_float_arithmetic(format::FloatArithmetic arithmetic);

// Along each of `columns` columns: y[i * step + c], i from 0 to count - 1, sum up to 1, or are logarithms of such.
struct SoftmaxArgs {
  const float* x;
  float* y;
  size_t count, step, columns;
  bool log;
};
void softmax(const SoftmaxArgs& args);

// The mean of `count` numbers, added up in double.
float mean_of(const float* x, size_t count);

}  // namespace torquant::runtime
