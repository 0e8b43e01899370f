#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "torquant/data/image_options.h"

namespace torquant {

// An image [H, W, 1 or 3] of uint8 as a program takes it: float32 [1, channels, crop height, crop width].
//
// Resizing is what torchvision's Resize does to a tensor: the shorter side gets `resize` pixels, the longer one its
// share rounded down, antialiased bilinear. `options` are complete: fit_to_program made them.
// Throws Error, beginning with `where`, for an image that the crop does not fit in, or too long after resizing.
at::Tensor preprocess(const std::string& where, const at::Tensor& image, const ImageOptions& options);

}  // namespace torquant
