#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// A transposed convolution between dequantize and quantize nodes becomes an ordinary one of stride 1, whose codes are
// shuffled and cropped:
//
//   dequantize → conv_transpose2d → [clamp] → quantize
//   ⇒ pad → dequantize → conv2d → [clamp] → quantize → unflatten → permute → flatten → slice
//
// Of stride s, output pixels i, i + s, i + 2s, … of each dimension see the same taps of the kernel: they are a phase.
// The new convolution has an output channel for each channel and phase; where a phase has no tap, its weight is 0.
// Where no quantize node follows, floats are shuffled.
//
// Refuses, naming the node: sizes that are not fixed, what is not quantized to 8 bits in front of it and in its weight
// (int8, one scale or one for each index of axis 1, zero points 0).
PassResult rewrite_transposed_convolutions(Program& program);

}  // namespace torquant
