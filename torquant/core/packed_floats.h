#pragma once

#include <cstddef>
#include <vector>

namespace torquant {

// float32 weights of one group of a convolution or of a linear layer as the kernels read them: in panels of 16 output
// channels, zeros where there is a rest.
//
//   packed[panel][tap][input][16]        channel n = panel * 16 + i; taps are the positions of the kernel, row by row
//
// A depthwise convolution has one input. The same bytes for every CPU; unpack_floats gives the weights back.
struct PackedFloatsShape {
  size_t channels;  // output channels, N
  size_t inputs;    // input channels, C
  size_t taps = 1;  // 1 for a linear layer

  size_t panels() const { return (channels + 15) / 16; }
  size_t depth() const { return inputs * taps; }
  size_t floats() const { return panels() * depth() * 16; }
};

// weights: [channels, inputs, taps], as PyTorch keeps them; packed: [shape.floats()].
void pack_floats(const PackedFloatsShape& shape, const float* weights, float* packed);
void unpack_floats(const PackedFloatsShape& shape, const float* packed, float* weights);

}  // namespace torquant
