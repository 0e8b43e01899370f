#pragma once

#include "torquant/quantizer/pattern_quantizer.h"

namespace torquant {

// The arguments of get_default_arm_inductor_quantization_config, with torchao's names and defaults.
struct ArmInductorConfigArgs {
  bool is_qat = false;      // fake quantize for training in place of observers
  bool is_dynamic = false;  // activations: a scale chosen at run time
};

// int8 affine activations under a histogram observer; int8 symmetric weights, a scale a tensor; float bias; no scale
// below 2^-12.
QuantizationConfig get_default_arm_inductor_quantization_config(const ArmInductorConfigArgs& args = {});

// Annotates what Inductor computes on integers on Arm CPUs (torchao pt2e/quantizer/arm_inductor_quantizer.py, 0.18):
// conv2d [+ add]; linear [+ {relu, leaky_relu, tanh, gelu}]; matmul and bmm on request.
class ArmInductorQuantizer : public PatternQuantizer {
 public:
  ArmInductorQuantizer();
};

}  // namespace torquant
