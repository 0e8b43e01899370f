#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace torquant {

bool is_png(std::string_view bytes);

// A PNG file: uint8 [H, W, C], C = 1 (grey) or 3 (RGB), by libpng. Palettes are looked up, alpha is left out (what lies
// under it stays), 16 bits are rounded to 8; a file with a gamma of its own (gAMA) is brought to that of sRGB.
// Throws Error, beginning with `where`, for a damaged file and for more pixels than kMaxImagePixels.
at::Tensor decode_png(const std::string& where, std::string_view bytes);

}  // namespace torquant
