#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// The float32 matrix product behind linear layers and dense convolutions (docs/semantics.md, K11):
//
//   sum[m, n] = bias[n] + Σ_k input[m, k] * weight[n, k]       one fma after the other, k ascending
//   output[m, n] = clamp(sum[m, n] + residual[m, n], lo, hi)
//
// As igemm (kernels/igemm/igemm.h) it copies nothing to bring a convolution into this form: the K inputs of row m lie
// in `runs` pieces of `run_length` floats, piece r begins at input + input_offset[m] + run_offset[r]. Nothing outside
// these pieces is read.
//
// Kernels of all instruction sets give the same bits; which NaN a NaN is, is not said.
struct FgemmArgs {
  size_t rows;     // M
  size_t columns;  // N
  const float* input;
  const int32_t* input_offset;  // [rows], floats
  size_t runs;
  size_t run_length;          // floats; K = runs * run_length
  const int32_t* run_offset;  // [runs], floats

  const float* weights;  // [panels][K][16] with panels = ceil(columns / 16) (core/packed_floats.h)
  const float* bias;     // [panels * 16]
  float lo, hi;

  float* output;  // row m begins at output + m * output_step
  size_t output_step;
  const float* residual;  // null for none; it may be the output
  size_t residual_step;
};

struct FgemmKernel {
  const char* name;
  CpuIsa isa;
  void (*run)(const FgemmArgs&);
  size_t row_tile;  // rows that it computes together: where work is cut for threads, multiples of it lose nothing
};

// The fastest kernel that `isa` runs; the scalar one always fits.
const FgemmKernel& select_fgemm(CpuIsa isa);

}  // namespace torquant
