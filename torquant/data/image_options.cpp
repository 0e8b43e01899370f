#include "torquant/data/image_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "torquant/core/error.h"
#include "torquant/graph/input_check.h"

namespace torquant {
namespace {

constexpr int64_t kMaxSide = 1 << 14;

void check_side(const char* what, int64_t pixels) {
  if (pixels >= 1 && pixels <= kMaxSide) return;
  throw Error({.where = what, .what = fmt::format("{} pixels", pixels), .allowed = fmt::format("1 to {}", kMaxSide)});
}

// One value a channel.
void spread(const char* what, std::vector<double>& values, int64_t channels) {
  if (values.size() == 1) values.resize(static_cast<size_t>(channels), values[0]);
  if (static_cast<int64_t>(values.size()) == channels) return;
  throw Error({.where = what,
               .what = fmt::format("{} values ({}) for images of {} channel{}", values.size(), fmt::join(values, ", "),
                                   channels, channels == 1 ? "" : "s"),
               .allowed = channels == 1 ? "1" : fmt::format("1 or {}", channels)});
}

void check_mean(double value) {
  if (value >= 0 && value <= 1) return;
  throw Error({.where = "mean",
               .what = fmt::format("{}", value),
               .allowed = "0 to 1: pixels are divided by 255 first",
               .hint = fmt::format("if it is meant for pixels of 0 to 255: {:.6g}", value / 255)});
}

void check_std(double value) {
  if (value > 0 && value <= 1) return;
  throw Error({.where = "std",
               .what = fmt::format("{}", value),
               .allowed = "above 0, up to 1: pixels are divided by 255 first",
               .hint = value > 1 ? fmt::format("if it is meant for pixels of 0 to 255: {:.6g}", value / 255) : ""});
}

// The one input of a program that takes images.
const Value& image_input(const Program& program) {
  constexpr const char* kAllowed = "one input [N, 3, H, W] (RGB) or [N, 1, H, W] (grey) of float32";
  constexpr const char* kHint = "give data as the program takes them: npz or safetensors";
  const std::vector<Value*> inputs = program.user_inputs();
  if (inputs.size() != 1) {
    throw Error({.what = fmt::format("images are one input, the program takes {}", inputs.size()),
                 .allowed = kAllowed,
                 .hint = kHint});
  }
  const Value& input = *inputs[0];
  if (input.is_tensor() && input.tensor().dtype == at::kFloat && input.tensor().rank() == 4) {
    const std::optional<int64_t> channels = hint_of(input.tensor().sizes[1]);
    if (channels == 1 || channels == 3) return input;
  }
  throw Error({.where = "input " + input.name(),
               .what = input.is_tensor() ? fmt::format("{}{} takes no images", c10::toString(input.tensor().dtype),
                                                       allowed_sizes(program, input.tensor()))
                                         : "is no tensor and takes no images",
               .allowed = kAllowed,
               .hint = kHint});
}

ImageSize size_of(const Value& input) {
  const std::optional<int64_t> height = hint_of(input.tensor().sizes[2]);
  const std::optional<int64_t> width = hint_of(input.tensor().sizes[3]);
  if (height && width) return {.height = *height, .width = *width};
  throw Error({.where = "input " + input.name(),
               .what = "takes images of any size, and the archive does not say which was its example",
               .hint = "say the size: --crop 224 (ImageOptions::crop)"});
}

}  // namespace

const std::vector<ImagePreset>& image_presets() {
  static const std::vector<ImagePreset> presets = {
      {"imagenet",
       "the inner 224 of 256 pixels, mean 0.485,0.456,0.406, std 0.229,0.224,0.225, as for torchvision's classifiers",
       {.crop_fraction = 0.875, .mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}}},
      {"inception",
       "the inner 224 of 256, -1 to 1 (mean 0.5, std 0.5), as for many of TensorFlow's",
       {.crop_fraction = 0.875, .mean = {0.5}, .std = {0.5}}},
      {"efficientnet-lite",
       "the inner 224 of 256, mean 127/255, std 128/255",
       {.crop_fraction = 0.875, .mean = {127. / 255}, .std = {128. / 255}}},
      {"clip",
       "all of the shorter side, mean 0.48145466,0.4578275,0.40821073, std 0.26862954,0.26130258,0.27577711",
       {.mean = {0.48145466, 0.4578275, 0.40821073}, .std = {0.26862954, 0.26130258, 0.27577711}}},
      {"unit", "all of the shorter side, 0 to 1", {}},
  };
  return presets;
}

ImageOptions image_preset(const std::string& name) {
  std::vector<std::string> names;
  for (const ImagePreset& preset : image_presets()) {
    if (preset.name == name) return preset.options;
    names.emplace_back(preset.name);
  }
  throw Error(
      {.where = name, .what = "is no way to prepare images", .allowed = fmt::format("{}", fmt::join(names, ", "))});
}

ImageOptions fit_to_program(ImageOptions options, const Program& program) {
  const Value& input = image_input(program);
  const int64_t channels = *hint_of(input.tensor().sizes[1]);
  if (options.channels.value_or(channels) != channels) {
    throw Error({.where = "input " + input.name(),
                 .what = fmt::format("takes {} channels, the options say {}", channels, *options.channels)});
  }
  options.channels = channels;
  if (!options.crop) options.crop = size_of(input);
  check_side("crop", options.crop->height);
  check_side("crop", options.crop->width);
  if (!(options.crop_fraction > 0 && options.crop_fraction <= 1)) {
    throw Error(
        {.where = "crop_fraction", .what = fmt::format("{}", options.crop_fraction), .allowed = "above 0, to 1"});
  }
  if (!options.resize) {
    const auto longer = static_cast<double>(std::max(options.crop->height, options.crop->width));
    options.resize = std::llround(longer / options.crop_fraction);
  }
  check_side("resize", *options.resize);
  spread("mean", options.mean, channels);
  spread("std", options.std, channels);
  std::ranges::for_each(options.mean, check_mean);
  std::ranges::for_each(options.std, check_std);
  return options;
}

}  // namespace torquant
