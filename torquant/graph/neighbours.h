#pragma once

#include "torquant/graph/node.h"

// What pattern matching asks of the nodes around a value.
namespace torquant {

// The node's first argument when it is a value; else null.
Value* first_input(const Node& node);
// The node that computes `value` when one node alone reads it; else null. Null is allowed.
Node* sole_producer(const Value* value);
// The node that alone reads `value`; null when there are more, or when the graph returns it. Null is allowed.
Node* sole_reader(const Value* value);

}  // namespace torquant
