#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "torquant/format/model.h"

namespace torquant::runtime {

// Where a value's codes lie in the arena: images one after another, channels last, each with a border that the layers
// which read it take as padding. Floats lie in PyTorch's order, one image right behind another; `begin` and the bytes
// of an image are all that is said of them.
struct Place {
  size_t batch, channels, height, width;
  size_t top, left, bottom, right;  // the border, in pixels
  size_t begin;                     // bytes from the arena to the first byte of the border
  size_t pixel_bytes, row_bytes, image_bytes;

  size_t bytes() const { return batch * image_bytes; }
  // From the arena to pixel (0, 0) of an image.
  size_t first_pixel(size_t image) const { return begin + image * image_bytes + top * row_bytes + left * pixel_bytes; }
  bool has_border() const { return top + left + bottom + right > 0; }
};

struct MemoryPlan {
  size_t batch;
  std::vector<Place> places;  // by value; inputs and outputs lie in the user's memory and have no place of their own
  size_t arena_bytes;         // with room to read behind the last value
};

// Values that do not live at the same time share memory: by size, the largest first, each at the lowest place that is
// free while it lives. A residual that is read for the last time is overwritten by its sum, a flattened row of single
// pixels stays where it is.
MemoryPlan plan_memory(const format::Model& model, size_t batch);

}  // namespace torquant::runtime
