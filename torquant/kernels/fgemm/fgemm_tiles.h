#pragma once

#include "torquant/kernels/fgemm/fgemm.h"
#include "torquant/kernels/lanes/functions.h"

// The matrix product over `R`, the registers of an instruction set (kernels/lanes). A tile is kRows rows by kPanels
// panels of 16 columns, whose sums stay in registers: for each k it loads the panels' weights once, and one input a
// row.

namespace torquant {

template <class R, size_t kRows, size_t kPanels>
void fgemm_tile(const FgemmArgs& args, size_t row, size_t panel) {
  using Floats = typename R::Floats;
  constexpr size_t kParts = 16 / R::kLanes, kVectors = kPanels * kParts;
  const size_t depth = args.runs * args.run_length, column = panel * 16;
  Floats sums[kRows][kVectors];
#pragma GCC unroll 16
  for (size_t j = 0; j < kVectors; ++j) {
    const Floats bias = R::load(args.bias + column + j * R::kLanes);
#pragma GCC unroll 12
    for (size_t i = 0; i < kRows; ++i) sums[i][j] = bias;
  }

  const float* weights = args.weights + column * depth;
  for (size_t run = 0; run < args.runs; ++run) {
    const float* x[kRows];
#pragma GCC unroll 12
    for (size_t i = 0; i < kRows; ++i) x[i] = args.input + args.input_offset[row + i] + args.run_offset[run];
#pragma GCC unroll 2
    for (size_t k = 0; k < args.run_length; ++k, weights += 16) {
      Floats w[kVectors];
#pragma GCC unroll 16
      for (size_t j = 0; j < kVectors; ++j) w[j] = R::load(weights + j / kParts * depth * 16 + j % kParts * R::kLanes);
#pragma GCC unroll 12
      for (size_t i = 0; i < kRows; ++i) {
        const Floats input = R::all(x[i][k]);
#pragma GCC unroll 16
        for (size_t j = 0; j < kVectors; ++j) sums[i][j] = R::fma(input, w[j], sums[i][j]);
      }
    }
  }

  const Floats lo = R::all(args.lo), hi = R::all(args.hi);
#pragma GCC unroll 12
  for (size_t i = 0; i < kRows; ++i) {
    float* output = args.output + (row + i) * args.output_step + column;
    const float* residual =
        args.residual == nullptr ? nullptr : args.residual + (row + i) * args.residual_step + column;
#pragma GCC unroll 16
    for (size_t j = 0; j < kVectors; ++j) {
      const size_t first = j * R::kLanes, left = args.columns - column;
      if (left <= first) continue;
      const bool whole = left - first >= R::kLanes;
      Floats y = sums[i][j];
      if (residual != nullptr)
        y = y + (whole ? R::load(residual + first) : R::load_first(residual + first, left - first));
      y = R::min(hi, R::max(lo, y));
      whole ? R::store(output + first, y) : R::store_first(output + first, y, left - first);
    }
  }
}

// The same of the first `rows` rows, up to kRows.
template <class R, size_t kRows, size_t kPanels>
void fgemm_rows(const FgemmArgs& args, size_t row, size_t rows, size_t panel) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return fgemm_rows<R, kRows - 1, kPanels>(args, row, rows, panel);
  }
  fgemm_tile<R, kRows, kPanels>(args, row, panel);
}

// All rows by kMostPanels panels at a time, whose weights stay in the second-level cache. kSums: how many registers of
// sums a tile has at most.
template <class R, size_t kSums, size_t kMostPanels>
void fgemm(const FgemmArgs& args) {
  constexpr size_t kRows = kSums * R::kLanes / (16 * kMostPanels);
  // Tiles of nearly equal height: 49 rows are 4 of 10 and 1 of 9, not 4 of 12 and 1 of 1.
  const size_t panels = (args.columns + 15) / 16, tiles = (args.rows + kRows - 1) / kRows;
  for (size_t panel = 0; panel < panels; panel += kMostPanels) {
    const bool all_panels = panel + kMostPanels <= panels;
    for (size_t t = 0; t < tiles; ++t) {
      const size_t row = args.rows * t / tiles, rows = args.rows * (t + 1) / tiles - row;
      all_panels ? fgemm_rows<R, kRows, kMostPanels>(args, row, rows, panel)
                 : fgemm_rows<R, kRows, 1>(args, row, rows, panel);
    }
  }
}

}  // namespace torquant
