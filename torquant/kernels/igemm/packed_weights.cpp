#include "torquant/kernels/igemm/packed_weights.h"

#include <algorithm>
#include <cstring>

namespace torquant {
namespace {

// Where the code of an output channel, tap and input lies.
size_t packed_index(const PackedShape& shape, size_t channel, size_t tap, size_t input) {
  const size_t quad = (channel / 16 * shape.taps + tap) * shape.quads() + input / 4;
  return quad * 64 + channel % 16 * 4 + input % 4;
}

template <class Visit>
void for_each_code(const PackedShape& shape, const Visit& visit) {
  size_t source = 0;
  for (size_t n = 0; n < shape.channels; ++n) {
    for (size_t c = 0; c < shape.inputs; ++c) {
      for (size_t t = 0; t < shape.taps; ++t) visit(source++, packed_index(shape, n, t, c));
    }
  }
}

}  // namespace

void pack_weights(const PackedShape& shape, const int8_t* codes, int8_t* packed) {
  std::memset(packed, 0, shape.bytes());
  for_each_code(shape, [&](size_t from, size_t to) { packed[to] = codes[from]; });
}

void unpack_weights(const PackedShape& shape, const int8_t* packed, int8_t* codes) {
  for_each_code(shape, [&](size_t to, size_t from) { codes[to] = packed[from]; });
}

std::vector<int32_t> column_sums(const PackedShape& shape, const int8_t* codes) {
  std::vector<int32_t> sums(shape.channels, 0);
  const size_t depth = shape.inputs * shape.taps;
  for (size_t n = 0; n < shape.channels; ++n) {
    for (size_t k = 0; k < depth; ++k) sums[n] += codes[n * depth + k];
  }
  return sums;
}

std::vector<uint8_t> pairs_fit(const PackedShape& shape, const int8_t* packed) {
  constexpr int kMost = 128;  // 255 * 128 <= 32767
  std::vector<uint8_t> fits(shape.panels(), 1);
  const size_t panel_bytes = shape.taps * shape.quads() * 64;
  for (size_t panel = 0; panel < shape.panels(); ++panel) {
    const int8_t* codes = packed + panel * panel_bytes;
    for (size_t i = 0; i < panel_bytes; i += 2) {
      const int a = codes[i], b = codes[i + 1];
      const int up = std::max(a, 0) + std::max(b, 0), down = std::max(-a, 0) + std::max(-b, 0);
      if (up > kMost || down > kMost) fits[panel] = 0;
    }
  }
  return fits;
}

}  // namespace torquant
