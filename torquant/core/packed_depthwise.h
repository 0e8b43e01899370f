#pragma once

#include <cstddef>
#include <cstdint>

namespace torquant {

// Weights of a depthwise convolution as the kernels read them: channels side by side, as pixels have them, zeros behind
// the last one up to a multiple of 16.
//
//   packed[tap][channels rounded up to 16]
//
// The same bytes for every CPU; unpack_depthwise gives the codes back.
struct PackedDepthwiseShape {
  size_t channels;
  size_t taps;  // kernel positions, in the order of the kernel's axes

  size_t padded_channels() const { return (channels + 15) / 16 * 16; }
  size_t bytes() const { return taps * padded_channels(); }
};

// codes: [channels, 1, taps], as PyTorch keeps weights; packed: [shape.bytes()].
void pack_depthwise(const PackedDepthwiseShape& shape, const int8_t* codes, int8_t* packed);
void unpack_depthwise(const PackedDepthwiseShape& shape, const int8_t* packed, int8_t* codes);

}  // namespace torquant
