#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// The int8 matrix product behind linear layers and dense convolutions (docs/semantics.md, K1 to K3):
//
//   acc[m, n]  = start[n] + Σ_k input[m, k] * weight[n, k]                    integers of 32 bits
//   real[m, n] = acc[m, n] * multiplier[n] + offset[n]                        float32, one rounding of the sum
//   code[m, n] = clamp(rne(real[m, n]), lo, hi)
//
// or, with `row_scale`, reals of rows that have a scale and a zero point each (K9).
//
// Nothing is copied to bring a convolution into this form. Row m is an output pixel, its K inputs lie in `runs` pieces
// of `run_quads` * 4 bytes: piece r begins at input + input_offset[m] + run_offset[r]. A linear layer and a 1x1
// convolution have one run; a kh x kw convolution has kh runs of kw * C bytes where pixels lie side by side, or
// kh * kw of C bytes. What a kernel reads beyond the image is there, in a border of zero points around it.
//
// Kernels of all instruction sets give the same bits where requantization_fits() (core/requantize.h) for each column.
struct IgemmArgs {
  size_t rows;                  // M
  size_t columns;               // N
  const uint8_t* input;         // readable wherever offsets and runs lead
  const int32_t* input_offset;  // [rows], bytes
  size_t runs;
  size_t run_quads;           // K = runs * run_quads * 4
  const int32_t* run_offset;  // [runs], bytes

  // Packed, [panels][K / 4][16][4] with panels = ceil(columns / 16), 64-byte aligned (core/packed_weights.h).
  const int8_t* weights;
  const uint8_t* pairs_fit;  // [panels]: 1 where no sum of two neighbouring products leaves 16 bits
  const int32_t* start;      // [panels * 16]
  const float* multiplier;   // [panels * 16]
  const float* offset;       // [panels * 16]
  uint8_t lo, hi;

  // Output pixel m begins at output + output_offset[m]; its codes lie side by side, or with `to_reals` the reals.
  bool to_reals;
  uint8_t* output;
  const int32_t* output_offset;  // [rows], bytes

  // Codes that are added, times residual_multiplier, before rounding: null for none, and with `to_reals`. Row m begins
  // at residual + residual_offset[m]. They may be where the output goes.
  const uint8_t* residual;
  const int32_t* residual_offset;
  float residual_multiplier;

  // With `to_reals`, rows on grids of their own: `multiplier` leaves the row's scale out, `start` its zero point.
  const float* row_scale = nullptr;         // [rows]; null for none
  const int32_t* row_zero_point = nullptr;  // [rows]; null: 0 everywhere
  const int32_t* column_sum = nullptr;      // [panels * 16], Σ_k weight[n, k]; read with row_zero_point
};

struct IgemmKernel {
  const char* name;
  CpuIsa isa;
  void (*run)(const IgemmArgs&);
  size_t row_tile;  // rows that it computes together: where work is cut for threads, multiples of it lose nothing
};

// The fastest kernel that `isa` runs; the scalar one always fits.
const IgemmKernel& select_igemm(CpuIsa isa);

}  // namespace torquant
