#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace torquant {

bool is_jpeg(std::string_view bytes);

// A JPEG file: uint8 [H, W, C], C = 1 (grey) or 3 (RGB), by libjpeg-turbo with its exact inverse DCT. CMYK becomes RGB
// as of inverted inks, which is how Adobe and everybody since writes it; the EXIF orientation is applied.
// Throws Error, beginning with `where`, for damage that costs pixels, for more pixels than kMaxImagePixels, and for a
// progressive file of more than 100 scans.
at::Tensor decode_jpeg(const std::string& where, std::string_view bytes);

}  // namespace torquant
