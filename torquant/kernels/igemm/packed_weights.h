#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace torquant {

// Weights of one group of a convolution or of a linear layer as the kernels read them: in panels of 16 output channels,
// the inputs of a tap in quads, zeros where either has a rest.
//
//   packed[panel][tap][quad][16][4]        channel n = panel * 16 + i, input c = quad * 4 + j
//
// The same bytes for every CPU; unpack_weights gives the codes back.
struct PackedShape {
  size_t channels;  // output channels, N
  size_t taps;      // kernel positions, in the order of the kernel's axes; 1 for a linear layer
  size_t inputs;    // input channels, C

  size_t panels() const { return (channels + 15) / 16; }
  size_t quads() const { return (inputs + 3) / 4; }  // of a tap
  size_t bytes() const { return panels() * taps * quads() * 64; }
};

// codes: [channels, inputs, taps], as PyTorch keeps weights; packed: [shape.bytes()].
void pack_weights(const PackedShape& shape, const int8_t* codes, int8_t* packed);
void unpack_weights(const PackedShape& shape, const int8_t* packed, int8_t* codes);

// Σ of the codes of each output channel, [channels].
std::vector<int32_t> column_sums(const PackedShape& shape, const int8_t* codes);

// [panels]: 1 where, for any inputs, the products of two neighbouring inputs of a quad (0 and 1, 2 and 3) add up to
// 16 bits: 255 * (w0 + w1) for the positive and for the negative weights (reference: Intel's vpmaddubsw saturates).
std::vector<uint8_t> pairs_fit(const PackedShape& shape, const int8_t* packed);

}  // namespace torquant
