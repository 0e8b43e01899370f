#pragma once

#include <optional>

#include "torquant/graph/program.h"

// What is asked about computations that are spelled out in several operators.
namespace torquant {

// The number that `argument` is, or that the program holds for it as a tensor of no dimension.
std::optional<double> constant_number(const Program& program, const Argument& argument);

// Whether its output is its input: dropout outside of training, copies, conversions to the type that is there.
bool changes_nothing(const Node& node);

// The node that computes `value`, and the one that reads it, where there is no other reader; what changes nothing is
// passed over. Null where there are more, or none. Null is allowed.
Node* maker_of(const Value* value);
Node* reader_of(const Value* value);
// The first of them where it is `op`; else null.
Node* maker_of(const Value* value, const OpId& op);

}  // namespace torquant
