#pragma once

#include <optional>

#include "torquant/quantizer/quantization_spec.h"

namespace torquant {

// How a quantizer treats the operators that one rule selects. What is absent stays in float.
struct QuantizationConfig {
  std::optional<QuantizationSpec> input_activation = std::nullopt;
  std::optional<QuantizationSpec> output_activation = std::nullopt;
  std::optional<QuantizationSpec> weight = std::nullopt;
  bool is_qat = false;  // its observers fake-quantize, for training
  bool operator==(const QuantizationConfig&) const = default;

  bool is_dynamic() const { return input_activation && input_activation->options.is_dynamic; }
};

// The arguments of get_symmetric_quantization_config, with executorch's names and defaults.
struct SymmetricConfigArgs {
  bool is_per_channel = false;  // weights: a scale an output channel; else one a tensor
  bool is_dynamic = false;      // activations: a scale chosen at run time
  int64_t act_qmin = -128;
  int64_t act_qmax = 127;
  int64_t weight_qmin = -127;
  int64_t weight_qmax = 127;
};

// XNNPACK's scheme: int8 affine activations under a histogram observer, int8 symmetric weights under min/max, float
// bias, no scale below 2^-12 (executorch xnnpack_quantizer.py, get_symmetric_quantization_config).
QuantizationConfig get_symmetric_quantization_config(const SymmetricConfigArgs& args = {});

}  // namespace torquant
