#pragma once

#include "torquant/quantizer/pattern_quantizer.h"

namespace torquant {

struct TorquantConfigArgs {
  bool reduce_range = false;  // activations in 0..127, for CPUs without VNNI, whose sums of products saturate
  bool is_dynamic = false;    // activations: a scale for each token, chosen at run time; needs no data
};

// uint8 affine activations under a histogram observer, dynamic ones int8 per token; int8 symmetric weights [-127, 127],
// a scale an output channel; float bias. Scales are as small as the data asks for. Throws Error for reduce_range with
// is_dynamic.
QuantizationConfig get_default_torquant_quantization_config(const TorquantConfigArgs& args = {});

// Annotates what lower/ computes on integers, so that nothing between the first and the last layer of a vision network
// computes in float:
//
//   conv2d [+ add] [+ relu], conv2d + {hardtanh, relu6}
//   conv1d, conv3d [+ relu, hardtanh, relu6]
//   linear [+ add] [+ relu], linear + {hardtanh, relu6}
//   add [+ relu], mul [+ relu] of two tensors; avg_pool2d, adaptive_avg_pool2d, mean
//   relu, hardswish, silu, sigmoid, tanh, gelu, … by themselves: tables of 256 codes
//   max_pool2d, cat, flatten, reshape, permute, slice, chunk, split, … behind one of these
//
// What is fused is observed behind its activation: a range is that of the clamp where there is one. Other activations
// read 8 bits, too (docs/decisions/0008). How one was written does not matter. Every value has one scale, its own.
//
// With is_dynamic: linear layers alone, in every spelling (pass/canonicalize.h). What is between them stays in float.
class TorquantQuantizer : public PatternQuantizer {
 public:
  TorquantQuantizer();

  // Parts of tensors become slices, batch norms that follow no layer become layers; with is_dynamic neither.
  void transform_for_annotation(Program& program) override;
};

}  // namespace torquant
