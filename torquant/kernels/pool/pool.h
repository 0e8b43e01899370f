#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// The greatest code in each window, of each channel. Windows are clipped to the image; one that lies outside gives 0.
struct MaxPoolArgs {
  size_t channels;
  size_t in_height, in_width;
  size_t kernel_height, kernel_width;
  size_t stride_height, stride_width;
  size_t padding_height, padding_width;
  size_t dilation_height, dilation_width;
  const uint8_t* input;  // pixel (0, 0) of the image, behind any border
  size_t in_row_bytes, in_pixel_bytes;
  size_t out_width;
  size_t out_begin, out_end;  // rows of the output to compute
  uint8_t* output;            // pixel (0, 0)
  size_t out_row_bytes, out_pixel_bytes;
};

// The mean of each channel over an image of one or several planes (docs/semantics.md, K5):
//   code = clamp(rne((Σ x + start) * multiplier + offset), lo, hi)
struct GlobalAveragePoolArgs {
  size_t channels;
  size_t planes, height, width;
  const uint8_t* input;  // pixel (0, 0) of the first plane
  size_t plane_bytes, row_bytes, pixel_bytes;
  int32_t start;  // -zero point of the input * planes * height * width
  float multiplier, offset;
  uint8_t lo, hi;
  uint8_t* output;  // [channels]
};

struct PoolKernels {
  const char* name;
  CpuIsa isa;
  void (*max)(const MaxPoolArgs&);
  void (*global_average)(const GlobalAveragePoolArgs&);
};

const PoolKernels& select_pool_kernels(CpuIsa isa);

}  // namespace torquant
