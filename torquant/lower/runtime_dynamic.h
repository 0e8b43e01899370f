#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "torquant/lower/runtime_emit.h"

namespace torquant::runtime_lowering {

// Stands in the graph for linear layers whose input gets a grid for each row at run time: its input is `input`. Never
// run.
inline const OpId kDynamicLinear{"torquant.dynamic_linear.default"};

// Puts such nodes in place of linear layers that read dequantize_per_token(quantize_per_token(x)). Queries, keys and
// values that are computed from the same x are one layer, whose outputs are slices of its output.
void fuse_dynamic_linears(Program& program, Facts& facts, RuntimeModel& made);

}  // namespace torquant::runtime_lowering
