#pragma once

#include <cstddef>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// What windows of float32 images make of each channel by itself (docs/semantics.md, K12). Channels lie last:
// [height, width, channels]. What a window has outside the image is left out.
//
//   depthwise  clamp(bias[c] + Σ x * weight[tap, c] + residual, lo, hi)     one fma after the other, taps row by row
//   max        the greatest; of a NaN and a number the later one
//   mean       Σ x / taps, row by row, over all taps of the window
//
// Kernels of all instruction sets give the same bits; which NaN a NaN is, is not said.
struct WindowsArgs {
  struct Axis {
    size_t kernel = 1, stride = 1, padding = 0, dilation = 1;
  };

  size_t channels;
  size_t height, width;  // of the input
  const float* input;
  Axis rows, columns;
  size_t output_width;
  size_t row_begin, row_end;  // the output's rows that are computed
  float* output;              // [rows of the output, output_width, channels]

  // Of depthwise alone.
  const float* weights = nullptr;   // [panels][taps][16] with panels = ceil(channels / 16) (core/packed_floats.h)
  const float* bias = nullptr;      // [panels * 16]
  const float* residual = nullptr;  // as the output, or null; it may be the output
  float lo = 0, hi = 0;
};

struct WindowsKernels {
  const char* name;
  CpuIsa isa;
  void (*depthwise)(const WindowsArgs&);
  void (*max)(const WindowsArgs&);
  void (*mean)(const WindowsArgs&);
};

// The fastest kernels that `isa` runs; the scalar ones always fit.
const WindowsKernels& select_windows_kernels(CpuIsa isa);

}  // namespace torquant
