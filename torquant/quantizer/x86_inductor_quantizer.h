#pragma once

#include "torquant/quantizer/pattern_quantizer.h"

namespace torquant {

// The arguments of get_default_x86_inductor_quantization_config, with torchao's names and defaults.
struct X86InductorConfigArgs {
  bool is_qat = false;        // fake quantize for training in place of observers
  bool is_dynamic = false;    // activations: a scale chosen at run time
  bool reduce_range = false;  // activations in 0..127, for CPUs without VNNI, whose sums of products saturate
};

// uint8 affine activations under a histogram observer; int8 symmetric weights, a scale an output channel; float bias;
// no scale below 2^-12.
QuantizationConfig get_default_x86_inductor_quantization_config(const X86InductorConfigArgs& args = {});

// Weights rounded to float16, activations as they are.
QuantizationConfig get_x86_inductor_linear_dynamic_fp16_config();

// Annotates what Inductor computes on integers on x86 CPUs (torchao pt2e/quantizer/x86_inductor_quantizer.py, 0.18):
//
//   conv2d [+ add] [+ relu], conv2d + {hardtanh, relu6, hardswish, silu}, conv1d + relu
//   linear [+ add] [+ relu], linear + {leaky_relu, tanh, gelu}
//   mul of two tensors of the same sizes; matmul and bmm on request
//   max_pool2d, avg_pool2d, adaptive_avg_pool2d, cat, flatten behind one of these
//
//   X86InductorQuantizer quantizer;
//   quantizer.set_global(get_default_x86_inductor_quantization_config()).set_module_name_qconfig("head", std::nullopt);
class X86InductorQuantizer : public PatternQuantizer {
 public:
  X86InductorQuantizer();
};

}  // namespace torquant
