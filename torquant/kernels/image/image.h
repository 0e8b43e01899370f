#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// Between images of floats as PyTorch has them, [channels, pixels], and of codes as the kernels do, channels last.
struct ImageArgs {
  size_t channels;
  size_t height, width;
  float* numbers;  // channel c begins at numbers + c * channel_step, its rows side by side; read alone when quantizing
  size_t channel_step;  // height * width or more: threads share an image by rows
  uint8_t* codes;       // pixel (y, x) begins at codes + y * row_bytes + x * pixel_bytes
  size_t row_bytes;
  size_t pixel_bytes;  // channels or more

  // quantize: code = clamp(rne(x * inverse_scale) + zero_point, lo, hi), as PyTorch's quantize_per_tensor (Q10).
  // dequantize: x = (code - zero_point) * scale.
  float scale, inverse_scale;
  int32_t zero_point;
  uint8_t lo, hi;
};

struct ImageKernels {
  const char* name;
  CpuIsa isa;
  void (*quantize)(const ImageArgs&);
  void (*dequantize)(const ImageArgs&);
};

const ImageKernels& select_image_kernels(CpuIsa isa);

}  // namespace torquant
