#include "torquant/core/packed_depthwise.h"

#include <cstring>

namespace torquant {

void pack_depthwise(const PackedDepthwiseShape& shape, const int8_t* codes, int8_t* packed) {
  std::memset(packed, 0, shape.bytes());
  for (size_t c = 0; c < shape.channels; ++c) {
    for (size_t t = 0; t < shape.taps; ++t) packed[t * shape.padded_channels() + c] = *codes++;
  }
}

void unpack_depthwise(const PackedDepthwiseShape& shape, const int8_t* packed, int8_t* codes) {
  for (size_t c = 0; c < shape.channels; ++c) {
    for (size_t t = 0; t < shape.taps; ++t) *codes++ = packed[t * shape.padded_channels() + c];
  }
}

}  // namespace torquant
