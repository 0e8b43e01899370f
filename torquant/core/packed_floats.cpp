#include "torquant/core/packed_floats.h"

#include <algorithm>

namespace torquant {
namespace {

// f(place in `weights`, place in `packed`) of each weight.
template <class F>
void for_each_weight(const PackedFloatsShape& shape, F f) {
  for (size_t n = 0; n < shape.channels; ++n) {
    for (size_t c = 0; c < shape.inputs; ++c) {
      for (size_t tap = 0; tap < shape.taps; ++tap)
        f((n * shape.inputs + c) * shape.taps + tap, ((n / 16 * shape.taps + tap) * shape.inputs + c) * 16 + n % 16);
    }
  }
}

}  // namespace

void pack_floats(const PackedFloatsShape& shape, const float* weights, float* packed) {
  std::fill(packed, packed + shape.floats(), 0.0f);
  for_each_weight(shape, [&](size_t from, size_t to) { packed[to] = weights[from]; });
}

void unpack_floats(const PackedFloatsShape& shape, const float* packed, float* weights) {
  for_each_weight(shape, [&](size_t to, size_t from) { weights[to] = packed[from]; });
}

}  // namespace torquant
