#include "torquant/data/image.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "torquant/core/error.h"
#include "torquant/data/jpeg.h"
#include "torquant/data/png.h"

namespace torquant {

at::Tensor decode_image(const std::string& where, std::string_view bytes) {
  if (is_jpeg(bytes)) return decode_jpeg(where, bytes);
  if (is_png(bytes)) return decode_png(where, bytes);
  throw Error({.where = where,
               .what = bytes.empty() ? "is empty" : "holds another kind of data than its name says",
               .allowed = "JPEG or PNG"});
}

at::Tensor with_channels(const at::Tensor& image, int64_t channels) {
  if (image.size(2) == channels) return image;
  if (channels == 3) return image.expand({-1, -1, 3});
  at::Tensor grey = at::empty({image.size(0), image.size(1), 1}, at::kByte);
  const at::Tensor dense = image.contiguous();
  const uint8_t* rgb = dense.const_data_ptr<uint8_t>();
  uint8_t* out = grey.mutable_data_ptr<uint8_t>();
  for (int64_t pixel = 0; pixel < grey.numel(); ++pixel, rgb += 3) {
    // 0.299, 0.587 and 0.114 in 1/65536
    out[pixel] = static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
  }
  return grey;
}

void check_image_size(const std::string& where, int64_t height, int64_t width) {
  if (height > 0 && width > 0 && height <= kMaxImagePixels / width) return;
  throw Error({.where = where,
               .what = fmt::format("an image of {} x {} pixels", width, height),
               .allowed = fmt::format("1 to {} pixels", kMaxImagePixels)});
}

}  // namespace torquant
