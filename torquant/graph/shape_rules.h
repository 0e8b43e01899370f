#pragma once

#include <optional>
#include <vector>

#include "torquant/graph/node.h"

namespace torquant {

// What the node computes, from its operator, arguments and the descriptions of what it reads: one entry for each of
// Node::values(), in order. Dtypes and sizes, symbolic ones too, are ATen's; strides are those of a dense tensor,
// the device that of the first tensor which the node reads.
//
// Nothing for an operator without a rule, or where a size depends on data.
// Throws Error, naming the node, for arguments that the operator refuses.
std::optional<std::vector<ValueMeta>> infer(const Node& node);

// Whether a rule for the operator exists.
bool has_shape_rule(const OpId& op);

}  // namespace torquant
