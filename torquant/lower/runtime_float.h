#pragma once

#include "torquant/graph/program.h"
#include "torquant/lower/runtime_builder.h"

namespace torquant::runtime_lowering {

// Appends what computes on floats: functions of each number, sums and products of two tensors or of one and a number,
// means over the last dimensions, softmax. False, and nothing appended, where `node` is none of these, or does not read
// floats of the model.
bool emit_on_floats(const Program& program, const Node& node, ModelBuilder& builder);

}  // namespace torquant::runtime_lowering
