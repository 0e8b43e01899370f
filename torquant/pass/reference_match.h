#pragma once

#include <optional>

#include "torquant/graph/program.h"
#include "torquant/pass/node_builder.h"

// What the reference patterns match with. Private to reference_*.cpp.
namespace torquant::reference {

// A quantize or dequantize node with one int8 scale for the tensor. Scale and zero point are numbers; of a dynamic
// place, values.
struct PerTensor {
  Value* input;
  Argument scale;
  Argument zero_point;
  int64_t min;
  int64_t max;

  bool is_static() const { return value_of(scale) == nullptr; }
};

// int8, and not cast on the way out.
bool is_int8(const Node& node);

// Nothing where `node` is none. A quantize node of bfloat16 or float16 is none: dividing these by the scale would round
// the quotient to their few bits before the code is chosen.
std::optional<PerTensor> match_quantize(Node* node);
std::optional<PerTensor> match_dequantize(Node* node);
// The dequantize node behind an operand, when nothing else reads it.
std::optional<PerTensor> match_operand(const Node& node, const char* name);

// Codes from `sum`, int32 steps of the output's scale: clamp(sum + zero point, least, max).
Value* to_codes(NodeBuilder& build, Value* sum, const PerTensor& out, const Argument& least);

}  // namespace torquant::reference
