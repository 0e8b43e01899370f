#pragma once

#include "torquant/kernels/image/image.h"

namespace torquant {

#define TORQUANT_IMAGE_KERNELS(suffix, isa)            \
  void quantize_image_##suffix(const ImageArgs& args); \
  void dequantize_image_##suffix(const ImageArgs& args);
#include "torquant/kernels/image/kernels.inc"
#undef TORQUANT_IMAGE_KERNELS

}  // namespace torquant
