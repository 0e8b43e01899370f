#pragma once

#include <cstddef>
#include <cstdint>

namespace torquant {

// The mean of each channel over windows (docs/semantics.md, K5), padding counted as zeros:
//   code = clamp(rne((Σ (x - zero point)) * multiplier + offset), lo, hi)
// One body for all instruction sets: its loops over channels are what compilers make vectors of.
struct AveragePoolArgs {
  size_t channels;
  size_t in_height, in_width;
  size_t kernel_height, kernel_width;
  size_t stride_height, stride_width;
  size_t padding_height, padding_width;
  const uint8_t* input;  // pixel (0, 0) of the image, behind any border
  size_t in_row_bytes, in_pixel_bytes;
  int32_t zero_point;
  float multiplier, offset;
  uint8_t lo, hi;
  size_t out_width;
  size_t out_begin, out_end;  // rows of the output to compute
  uint8_t* output;            // pixel (0, 0)
  size_t out_row_bytes, out_pixel_bytes;
};

void average_pool(const AveragePoolArgs& args);

}  // namespace torquant
