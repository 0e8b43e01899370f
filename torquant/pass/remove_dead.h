#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// Removes nodes whose values nobody reads and that change nothing else (no in-place operator, no random numbers, no
// assertion).
PassResult remove_dead_nodes(Program& program);

// Removes parameters, buffers and constants that no node reads, with their tensors; also tensors that are no input of
// the graph at all. What a program does not read, its file does not hold.
PassResult remove_dead_state(Program& program);

}  // namespace torquant
