#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace torquant {

// Weights of one group of a convolution or of a linear layer as the kernels read them: in panels of 16 output channels,
// inputs in quads, zeros where either has a rest.
//
//   packed[panel][run][quad][16][4]        channel n = panel * 16 + i, input k = quad * 4 + j of the run
//
// A run is what lies side by side in an image whose channels come last: a row of the kernel, k = x * inputs + c, or
// with a dilation along the row, or groups, one position of it, k = c. The same bytes for every CPU; unpack_weights
// gives the codes back.
struct PackedShape {
  size_t channels;           // output channels, N
  size_t inputs;             // input channels, C
  size_t kernel_height = 1;  // 1 for a linear layer
  size_t kernel_width = 1;
  bool whole_rows = true;  // a run is a row of the kernel

  size_t panels() const { return (channels + 15) / 16; }
  size_t runs() const { return whole_rows ? kernel_height : kernel_height * kernel_width; }
  size_t run_inputs() const { return whole_rows ? kernel_width * inputs : inputs; }
  size_t run_quads() const { return (run_inputs() + 3) / 4; }
  size_t bytes() const { return panels() * runs() * run_quads() * 64; }
  size_t codes() const { return channels * inputs * kernel_height * kernel_width; }
};

// codes: [channels, inputs, kernel_height, kernel_width], as PyTorch keeps weights; packed: [shape.bytes()].
void pack_weights(const PackedShape& shape, const int8_t* codes, int8_t* packed);
void unpack_weights(const PackedShape& shape, const int8_t* packed, int8_t* codes);

// Σ of the codes of each output channel, [channels].
std::vector<int32_t> column_sums(const PackedShape& shape, const int8_t* codes);

// [panels]: 1 where, for any inputs, the products of two neighbouring inputs of a quad (0 and 1, 2 and 3) add up to
// 16 bits: 255 * (w0 + w1) for the positive and for the negative weights (reference: Intel's vpmaddubsw saturates).
std::vector<uint8_t> pairs_fit(const PackedShape& shape, const int8_t* packed);

}  // namespace torquant
