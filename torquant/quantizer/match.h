#pragma once

#include <optional>
#include <string>

#include "torquant/quantizer/annotation.h"

// What the annotators of all backends ask of a graph, and how they fill an annotation.
namespace torquant {

// The node's first argument when it is a value; else null.
const Value* first_input(const Node& node);
// The node that computes `value` when one node alone reads it; else null.
const Node* sole_producer(const Value* value);
// The node that alone reads what `node` computes; null when there are more, or when the graph returns it.
const Node* sole_reader(const Node& node);

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
