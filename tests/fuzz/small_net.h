#pragma once

#include "torquant/graph/text.h"
#include "torquant/pt2e/prepare.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant::fuzz {

inline Program small_net() {
  return parse_program(R"(
parameter %weight : f32[3, 4] = "fc.weight"
parameter %bias : f32[3] = "fc.bias"
input %x : f32[2, 4]
%fc : f32[2, 3] = aten.linear.default(input=%x, weight=%weight, bias=%bias) @ fc
return %fc
)");
}

// It, with observers of that type on its activations.
inline PreparedProgram prepared_net(const ObserverType& type) {
  QuantizationConfig config = get_symmetric_quantization_config({.is_per_channel = true});
  config.input_activation->observer.type = type;
  config.output_activation->observer.type = type;
  XNNPACKQuantizer quantizer;
  quantizer.set_global(config);
  return prepare_pt2e(small_net(), quantizer);
}

}  // namespace torquant::fuzz
