#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "torquant/graph/program.h"

namespace torquant {

struct ImageSize {
  int64_t height;
  int64_t width;
  bool operator==(const ImageSize&) const = default;
};

// What is done to an image before a program sees it, in this order: resize, centre crop, x / 255, (x - mean) / std.
struct ImageOptions {
  std::optional<int64_t> resize = {};  // pixels of the shorter side; absent: longer side of crop / crop_fraction
  std::optional<ImageSize> crop = {};  // absent: what the program takes
  double crop_fraction = 1;            // what of the shorter side the crop keeps; used where resize is absent
  std::vector<double> mean = {0};      // one value a channel, or one for all; of values in 0 to 1
  std::vector<double> std = {1};
  std::optional<int64_t> channels = {};  // 1: grey, 3: RGB; absent: what the program takes
};

struct ImagePreset {
  const char* name;
  const char* meaning;  // for help texts
  ImageOptions options;
};
const std::vector<ImagePreset>& image_presets();

// The preset of that name. Throws Error that lists the names.
ImageOptions image_preset(const std::string& name);

// The options with nothing left open: crop and channels as the program's input has them, resize by crop_fraction, and a
// value of mean and std for each channel. Throws Error for a program that takes no images ([N, 1 or 3, H, W], float32),
// and for values that cannot be.
ImageOptions fit_to_program(ImageOptions options, const Program& program);

}  // namespace torquant
