#pragma once

#include <optional>
#include <string>

#include "torquant/quantizer/annotation.h"

// What the annotators of all backends ask of a graph, and how they fill an annotation.
namespace torquant {

// How the user wrote an operator, as every export notes it: an nn.SiLU and an F.silu are one operator.
struct WrittenAs {
  std::string module;    // "torch.nn.modules.activation.SiLU", when one of PyTorch's own modules calls it
  std::string function;  // "function.silu", "method_descriptor.mul_"
};
WrittenAs written_as(const Node& node);

// Nothing for a value that is absent, or a spec that is: it stays in float.
void set_input(QuantizationAnnotation& annotation, const Value* value, const std::optional<QuantizationSpec>& spec);
void set_output(QuantizationAnnotation& annotation, const std::optional<QuantizationSpec>& spec);

}  // namespace torquant
