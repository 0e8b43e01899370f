#pragma once

#include <span>
#include <vector>

#include "torquant/graph/op_id.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant::xnnpack {

// Annotates each match of one pattern whose nodes all pass the filter and are not annotated yet.
using Annotator = void (*)(const Program& program, const QuantizationConfig& config, const NodeFilter& filter,
                           Annotations& annotations);

struct Pattern {
  const char* name;
  bool dynamic;  // XNNPACK has a kernel with run-time scales
  bool has_weight;
  std::vector<OpId> ops;  // the operators at its heart
  Annotator annotate;
};

// In the order in which they are tried: the longer pattern before its part.
std::span<const Pattern> patterns();

// Operators that give out only values they were given, or means of them: one observer serves input and output.
std::span<const OpId> value_preserving_ops();

// Lets operators that pass values on unchanged, and follow an annotated node, share its observer.
void propagate_annotations(const Program& program, Annotations& annotations);

}  // namespace torquant::xnnpack
