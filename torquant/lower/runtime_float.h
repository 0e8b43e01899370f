#pragma once

#include "torquant/graph/program.h"
#include "torquant/lower/runtime_builder.h"

namespace torquant::runtime_lowering {

// Appends what computes on floats: functions of each number, sums and products of two tensors or of one and a number,
// means over the last dimensions, softmax. False, and nothing appended, where `node` is none of these, or does not read
// floats of the model.
bool emit_on_floats(const Program& program, const Node& node, ModelBuilder& builder);

// What `node` does to each number of one tensor; input and output are left to the caller. Nothing of another node.
std::optional<format::FloatMap> read_map(const Program& program, const Node& node);
// What it does to two tensors, or to one and a number.
std::optional<format::FloatArithmetic> read_arithmetic(const Node& node);

}  // namespace torquant::runtime_lowering
