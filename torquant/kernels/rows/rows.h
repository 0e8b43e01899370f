#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// What is computed on float32 between integer kernels, row by row (docs/semantics.md, K8, has order and errors). All
// kernels give the same bits: they are one body over the vectors of each instruction set. Which NaN a NaN is, is not
// said.
//
// Threads share rows, or numbers; a row is one thread's. Nothing behind a row's `columns` is read, and nothing written
// but what is said to be. A `step` is elements from row to row.

// Codes of rows, each on a grid of its own.
//
// As PyTorch's quantized_decomposed.choose_qparams_per_token_asymmetric and quantize_per_token, plus 128, which makes
// codes u8. With lo = min(x, 0), hi = max(x, 0), in float32 but for the code, which is float64:
//   scale = max((hi - lo) / 255, 2^-23)
//   zero_point = 128 + rne(clamp(l + h > 0 ? -128 - lo / scale : 127 - hi / scale, -128, 127)),
//     l = -128 + lo / scale, h = 127 + hi / scale
//   code = clamp(rne(x * (1 / scale) + zero_point), 0, 255)
//
// A NaN does not count for the scale and becomes the lowest code. Where hi - lo is infinite, scale is, too.
struct QuantizeRowsArgs {
  size_t rows, columns;
  const float* x;
  size_t x_step;
  uint8_t* codes;  // behind `columns`, up to the next multiple of 4, zero_point is written: weights are 0 there
  size_t codes_step;
  float* scale;         // [rows]
  int32_t* zero_point;  // [rows], of the u8 codes
};

// Layer norm of t = x + residual: y = (t - mean) * (1 / sqrt(mean((t - mean)²) + epsilon)) * weight + bias.
// RMS norm: y = t * (1 / sqrt(mean(t²) + epsilon)) * weight + bias. `* weight + bias` is rounded once.
struct NormalizeRowsArgs {
  size_t rows, columns;
  const float* x;
  size_t x_step;
  const float* residual;  // null for none
  size_t residual_step;
  const float* weight;  // [columns], null for none
  const float* bias;    // [columns], null for none
  float epsilon;
  bool rms;
  float* y;  // may be x or residual
  size_t y_step;
};

// y = p / Σ p (as p * (1 / Σ p)) with p = e^(x - max x) over a row, or its logarithm. A row of -inf alone gives zeros
// (PyTorch: NaN). A NaN, or +inf, makes its whole row NaN.
struct SoftmaxRowsArgs {
  size_t rows, columns;
  const float* x;
  size_t x_step;
  float* y;  // may be x
  size_t y_step;
  bool log;  // y = x - max x - log Σ p instead
};

// The mean of each row.
struct MeanRowsArgs {
  size_t rows, columns;
  const float* x;
  size_t x_step;
  float* y;  // [rows]
};

// Functions of one number with parameters a and b.
enum class MapFunction : uint8_t {
  kClamp,         // to [a, b]
  kAdd,           // x + a
  kSubtractFrom,  // a - x
  kMultiply,      // x * a
  kDivide,        // x / a
  kDivideInto,    // a / x
  kAbs,
  kExp,
  kLog,
  kSqrt,
  kLeakyRelu,  // x * a where x <= 0
  kElu,        // a * (e^x - 1) where x <= 0
  kSigmoid,
  kHardsigmoid,
  kTanh,
  kSilu,
  kHardswish,
  kGelu,
  kGeluTanh,
  kMish,
  kSoftplus,  // log(1 + e^(a x)) / a, and x where a x > b
  kNotEqual,  // 1 where x is not a, a finite number, else 0
};
constexpr size_t kMapFunctions = 22;

struct MapRowsArgs {
  size_t count;
  const float* x;
  float* y;  // may be x
  MapFunction function;
  float a, b;
};

enum class BinaryFunction : uint8_t { kAdd, kSubtract, kMultiply, kDivide };

struct BinaryRowsArgs {
  size_t count;
  const float *a, *b;
  bool one_a, one_b;  // a[0], b[0] for all
  float* y;           // may be a or b
  BinaryFunction function;
};

// Turns each pair (a, b) of a head's numbers c and c + size / 2 by the angle of its row (rotary embedding):
//   a cos - b sin, and b cos + a sin,
// with the cos and sin of column c, and of column c + size / 2. Every product is rounded, and the sum.
struct RotateRowsArgs {
  size_t rows, heads, size;  // size: of a head, even
  const float* x;            // heads lie side by side
  size_t x_step;
  const float *cos, *sin;  // [rows, size]
  float* y;                // not x
  size_t y_step;
};

struct RowsKernels {
  const char* name;
  CpuIsa isa;
  void (*quantize)(const QuantizeRowsArgs&);
  void (*normalize)(const NormalizeRowsArgs&);
  void (*softmax)(const SoftmaxRowsArgs&);
  void (*mean)(const MeanRowsArgs&);
  void (*map)(const MapRowsArgs&);
  void (*binary)(const BinaryRowsArgs&);
  void (*rotate)(const RotateRowsArgs&);
};

// The fastest kernels that `isa` runs; the scalar ones always fit.
const RowsKernels& select_rows_kernels(CpuIsa isa);

}  // namespace torquant
