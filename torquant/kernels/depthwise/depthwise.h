#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// The int8 depthwise convolution, in 2-D and, with a height of 1, in 1-D (docs/semantics.md, K1 to K3). In channel c,
// with s and d for strides and dilations:
//
//   acc[y, x]  = start[c] + Σ_i Σ_j input[y * s + i * d, x * s + j * d] * weight[i, j]    integers of 32 bits
//   code[y, x] = clamp(rne(acc[y, x] * multiplier[c] + offset[c]), lo, hi)                float32, one rounding
//
// Images are channels last. The input has a border of zero points where the convolution pads, so that all taps are
// there. Threads share an image by rows, by channels (from a multiple of 64 on, best; of 16, at least) or both: each
// has arguments with its own sizes, and pointers to what is first in its part.
//
// Kernels of all instruction sets give the same bits where requantization_fits() (core/requantize.h) for each channel.
struct DepthwiseArgs {
  size_t channels;
  size_t output_height, output_width;
  size_t kernel_height, kernel_width;
  size_t stride_height, stride_width;
  size_t dilation_height, dilation_width;

  // The first tap of the first output; 64 bytes behind the last tap of the last output are readable, too.
  const uint8_t* input;
  size_t input_row_step, input_pixel_step;  // bytes from one to the next: pixels may have more channels

  const int8_t* weights;    // [taps][weight_step], packed (core/packed_depthwise.h)
  size_t weight_step;       // bytes from tap to tap: all channels of the layer, rounded up to 16
  const int32_t* start;     // [channels rounded up to 16]
  const float* multiplier;  // [channels rounded up to 16]
  const float* offset;      // [channels rounded up to 16]
  uint8_t lo, hi;

  uint8_t* output;  // nothing beside its channels is written
  size_t output_row_step, output_pixel_step;

  // Codes that are added, times residual_multiplier, before rounding: null for none. They may be where the output goes.
  const uint8_t* residual;
  size_t residual_row_step, residual_pixel_step;
  float residual_multiplier;

  uint8_t* scratch;  // [depthwise_scratch_bytes()], 64-byte aligned; contents do not matter
};

// The same for all kernels. Of the arguments, only the sizes, strides and dilations matter.
size_t depthwise_scratch_bytes(const DepthwiseArgs& args);

struct DepthwiseKernel {
  const char* name;
  CpuIsa isa;
  void (*run)(const DepthwiseArgs&);
};

// The fastest kernel that `isa` runs; the scalar one always fits.
const DepthwiseKernel& select_depthwise(CpuIsa isa);

}  // namespace torquant
