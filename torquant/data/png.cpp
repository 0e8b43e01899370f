#include "torquant/data/png.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <png.h>

#include "torquant/core/error.h"
#include "torquant/data/image.h"

namespace torquant {
namespace {

// libpng's own short interface: it returns where the long one jumps.
class PngReader {
 public:
  PngReader(const std::string& where, std::string_view bytes) : where_(where) {
    image_.version = PNG_IMAGE_VERSION;
    check(png_image_begin_read_from_memory(&image_, bytes.data(), bytes.size()));
  }
  ~PngReader() { png_image_free(&image_); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  png_image& image() { return image_; }

  void read(void* pixels) { check(png_image_finish_read(&image_, nullptr, pixels, 0, nullptr)); }

 private:
  void check(int done) const {
    if (done == 0) {
      throw Error({.where = where_, .what = fmt::format("is no PNG file that can be read: {}", image_.message)});
    }
  }

  std::string where_;
  png_image image_ = {};
};

}  // namespace

bool is_png(std::string_view bytes) { return bytes.starts_with("\x89PNG\r\n\x1a\n"); }

at::Tensor decode_png(const std::string& where, std::string_view bytes) {
  PngReader reader(where, bytes);
  png_image& header = reader.image();
  check_image_size(where, header.height, header.width);
  header.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // else 16 bits are taken as linear light
  // Alpha is read too: without it libpng would lay the picture on black.
  const bool is_grey = (header.format & PNG_FORMAT_FLAG_COLOR) == 0;
  header.format = is_grey ? PNG_FORMAT_GA : PNG_FORMAT_RGBA;
  const int64_t channels = is_grey ? 1 : 3;
  at::Tensor image = at::empty({header.height, header.width, channels + 1}, at::kByte);
  reader.read(image.mutable_data_ptr());
  return image.narrow(2, 0, channels).contiguous();
}

}  // namespace torquant
