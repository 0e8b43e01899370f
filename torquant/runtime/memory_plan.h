#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "torquant/format/model.h"

namespace torquant::runtime {

// Where a value's codes lie in the arena: images one after another, channels last, each with a border that the layers
// which read it take as padding. An image is one plane of pixels, or with a depth several, with a border of planes.
struct Place {
  size_t batch, channels, depth, height, width;
  size_t top, left, bottom, right;  // the border of a plane, in pixels
  size_t front, back;               // that of an image, in planes
  size_t begin;                     // bytes from the arena to the first byte of the border
  size_t pixel_bytes, row_bytes, plane_bytes;

  size_t planes() const { return batch * depth; }
  size_t pixels() const { return depth * height * width; }  // of an image
  size_t all_planes() const { return batch * (front + depth + back); }
  size_t bytes() const { return all_planes() * plane_bytes; }
  // From the arena to pixel (0, 0) of a plane, counted through all images without their borders.
  size_t first_pixel(size_t plane) const {
    const size_t before = plane / depth * (front + depth + back) + front + plane % depth;
    return begin + before * plane_bytes + top * row_bytes + left * pixel_bytes;
  }
  bool has_border() const { return top + left + bottom + right + front + back > 0; }
};

struct MemoryPlan {
  size_t batch;
  std::vector<Place> places;  // by value; those of floats have no bytes
  size_t arena_bytes;         // with room to read behind the last value
};

// Values that do not live at the same time share memory: by size, the largest first, each at the lowest place that is
// free while it lives. A residual that is read for the last time is overwritten by its sum, a flattened row of single
// pixels stays where it is.
MemoryPlan plan_memory(const format::Model& model, size_t batch);

}  // namespace torquant::runtime
