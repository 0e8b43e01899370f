#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace torquant {

// The largest image that is decoded: a small file can promise gigabytes. Cameras take up to 61 million pixels.
inline constexpr int64_t kMaxImagePixels = int64_t{1} << 26;

// A JPEG (jpeg.h) or PNG file (png.h), told apart by its first bytes: uint8 [H, W, C], C = 1 (grey) or 3 (RGB).
// Throws Error, beginning with `where`, for what is neither.
at::Tensor decode_image(const std::string& where, std::string_view bytes);

// [H, W, 1 or 3] → [H, W, channels]: grey is the luma of ITU-R BT.601, rounded; a grey image is the same in each of
// three channels.
at::Tensor with_channels(const at::Tensor& image, int64_t channels);

// For decoders: throws Error unless the image has pixels, and at most kMaxImagePixels.
void check_image_size(const std::string& where, int64_t height, int64_t width);

}  // namespace torquant
