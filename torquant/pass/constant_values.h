#pragma once

#include <ATen/core/Tensor.h>

#include <unordered_set>

#include "torquant/graph/program.h"

namespace torquant {

// The values that no user input reaches: parameters, buffers, constants and what is computed from them alone.
// Values that some node writes in place are not among them.
std::unordered_set<const Value*> constant_values(const Program& program);

// These, and what is computed from nothing, such as arange with numbers.
std::unordered_set<const Value*> known_values(const Program& program);

// Computes a constant value by running the nodes that lead to it, and only these.
at::Tensor evaluate_constant(const Program& program, const Value* value);

}  // namespace torquant
