#include "torquant/data/preprocess.h"

#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "torquant/core/error.h"
#include "torquant/data/image.h"

namespace torquant {
namespace {

ImageSize resized_size(const at::Tensor& image, int64_t shorter) {
  const int64_t height = image.size(0), width = image.size(1);
  return height <= width ? ImageSize{.height = shorter, .width = shorter * width / height}
                         : ImageSize{.height = shorter * height / width, .width = shorter};
}

// Where a centred part of `size` begins; of half pixels to the even one, as torchvision rounds.
int64_t centred(int64_t whole, int64_t size) {
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(whole - size) / 2));
}

at::Tensor per_channel(const std::vector<double>& values) {
  return at::tensor(values, at::kFloat).reshape({1, static_cast<int64_t>(values.size()), 1, 1});
}

}  // namespace

at::Tensor preprocess(const std::string& where, const at::Tensor& image, const ImageOptions& options) {
  const ImageSize crop = options.crop.value();
  const ImageSize size = resized_size(image, options.resize.value());
  if (size.height > kMaxImagePixels / size.width) {
    throw Error({.where = where,
                 .what = fmt::format("an image of {} x {} pixels becomes {} x {} by resizing", image.size(1),
                                     image.size(0), size.width, size.height),
                 .allowed = fmt::format("1 to {} pixels", kMaxImagePixels)});
  }
  if (size.height < crop.height || size.width < crop.width) {
    throw Error({.where = where,
                 .what = fmt::format("an image of {} x {} pixels, resized to {} x {}, has no part of {} x {}",
                                     image.size(1), image.size(0), size.width, size.height, crop.width, crop.height),
                 .hint = fmt::format("--resize {} or more (ImageOptions::resize)", std::max(crop.height, crop.width))});
  }
  at::Tensor x = with_channels(image, options.channels.value()).permute({2, 0, 1}).unsqueeze(0);
  x = x.to(at::kFloat).contiguous();
  if (image.size(0) != size.height || image.size(1) != size.width) {
    x = at::_upsample_bilinear2d_aa(x, {size.height, size.width}, /*align_corners=*/false);
  }
  x = x.narrow(2, centred(size.height, crop.height), crop.height)
          .narrow(3, centred(size.width, crop.width), crop.width)
          .contiguous();
  return x.div_(255).sub_(per_channel(options.mean)).div_(per_channel(options.std));
}

}  // namespace torquant
