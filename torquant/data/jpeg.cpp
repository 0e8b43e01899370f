#include "torquant/data/jpeg.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
// Behind cstdio, of which it needs FILE; jerror.h behind both: its codes depend on how libjpeg was built.
#include <jpeglib.h>
//
#include <jerror.h>

#include "torquant/core/error.h"
#include "torquant/data/exif.h"
#include "torquant/data/image.h"

namespace torquant {
namespace {

// Each scan of a progressive file goes over all pixels; real files have about ten.
constexpr int kMaxScans = 100;

struct JpegErrors {
  jpeg_error_mgr base;  // first: libjpeg hands out pointers to it
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->base.format_message(info, errors->text);
  std::longjmp(errors->jump, 1);
}

// Warnings after which pixels are missing or wrong are errors; the others (padding, odd headers) harm nothing.
void on_message(j_common_ptr info, int /*level*/) {
  constexpr int kDamage[] = {JWRN_JPEG_EOF, JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_MUST_RESYNC, JWRN_ARITH_BAD_CODE};
  if (std::ranges::count(kDamage, info->err->msg_code) > 0) on_error(info);
}

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  std::snprintf(errors->text, sizeof(errors->text), "has more than %d scans", kMaxScans);
  std::longjmp(errors->jump, 1);
}

class JpegReader {
 public:
  explicit JpegReader(const std::string& where) : where_(where) {
    info_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = on_error;
    errors_.base.emit_message = on_message;
    progress_.progress_monitor = on_progress;
    guarded([this] { jpeg_create_decompress(&info_); });
    info_.progress = &progress_;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // libjpeg leaves by longjmp where it fails. So `step` calls libjpeg alone and creates nothing that has a destructor.
  template <typename Step>
  void guarded(const Step& step) {
    if (setjmp(errors_.jump) != 0) {
      throw Error({.where = where_, .what = fmt::format("is no JPEG file that can be read: {}", errors_.text)});
    }
    step();
  }

  jpeg_decompress_struct& info() { return info_; }

 private:
  std::string where_;
  jpeg_decompress_struct info_ = {};
  jpeg_progress_mgr progress_ = {};
  JpegErrors errors_ = {};
};

int orientation_of(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view block(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (block.starts_with("Exif")) return exif_orientation(block);
  }
  return 1;
}

// The picture as its camera was held: see exif_orientation.
at::Tensor upright(at::Tensor image, int orientation) {
  if (orientation >= 5) image = image.transpose(0, 1);
  const bool flip_rows = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool flip_columns = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  if (flip_rows) image = image.flip(0);
  if (flip_columns) image = image.flip(1);
  return image.contiguous();
}

// [H, W, 4] of inverted inks → [H, W, 3]: a colour is what its ink and black let through, rounded to nearest.
at::Tensor rgb_of_inverted_cmyk(const at::Tensor& cmyk) {
  at::Tensor rgb = at::empty({cmyk.size(0), cmyk.size(1), 3}, at::kByte);
  const uint8_t* in = cmyk.const_data_ptr<uint8_t>();
  uint8_t* out = rgb.mutable_data_ptr<uint8_t>();
  for (int64_t pixel = 0; pixel < cmyk.size(0) * cmyk.size(1); ++pixel, in += 4, out += 3) {
    for (int c = 0; c < 3; ++c) out[c] = static_cast<uint8_t>((in[c] * in[3] * 2 + 255) / 510);
  }
  return rgb;
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xff\xd8\xff"); }

at::Tensor decode_jpeg(const std::string& where, std::string_view bytes) {
  JpegReader reader(where);
  jpeg_decompress_struct& info = reader.info();
  reader.guarded([&] {
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&info, TRUE);
  });
  check_image_size(where, info.image_height, info.image_width);
  const bool is_cmyk = info.num_components == 4;
  const bool is_grey = info.jpeg_color_space == JCS_GRAYSCALE;
  info.out_color_space = is_cmyk ? JCS_CMYK : is_grey ? JCS_GRAYSCALE : JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  const int64_t channels = is_cmyk ? 4 : is_grey ? 1 : 3;
  at::Tensor image = at::empty({info.image_height, info.image_width, channels}, at::kByte);
  uint8_t* pixels = image.mutable_data_ptr<uint8_t>();
  const int64_t row_bytes = image.stride(0);
  reader.guarded([&] {
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = pixels + info.output_scanline * row_bytes;
      jpeg_read_scanlines(&info, &row, 1);
    }
  });
  return upright(is_cmyk ? rgb_of_inverted_cmyk(image) : image, orientation_of(info));
}

}  // namespace torquant
