#pragma once

#include <ATen/core/ivalue.h>

#include <vector>

#include "torquant/graph/argument_source.h"
#include "torquant/graph/interpreter.h"

namespace c10 {
class OperatorHandle;
}  // namespace c10

namespace torquant {

using Stack = std::vector<c10::IValue>;
using Slots = std::vector<c10::IValue>;  // the values of one run

// One node, with its operator found and its arguments laid out.
struct ExecutionStep {
  const Node* node = nullptr;
  const c10::OperatorHandle* op = nullptr;  // null: the handler runs the node
  NodeHandler handler = nullptr;
  std::vector<ArgumentSource> args = {};
  std::vector<std::vector<int>> results = {};  // slots by output group
  std::vector<int> dead = {};                  // slots to be emptied after the step: nobody reads them any more
};

// A graph laid out once, so that running it looks nothing up.
struct ExecutionPlan {
  std::vector<int> inputs;  // the slot of each graph input; SlotTable::kNone for a constant one
  std::vector<ExecutionStep> steps;
  std::vector<ArgumentSource> outputs;
  size_t slot_count = 0;
};

// Graph and options must outlive the plan. Throws Error that names the node: an unknown operator, a missing argument.
ExecutionPlan make_plan(const Graph& graph, const InterpreterOptions& options);

// The slots of a run before its first step.
Slots begin_run(const ExecutionPlan& plan, Stack inputs);
// Runs one step; `stack` is room for its arguments and results, reused from step to step. Throws as run_plan does.
void run_step(const ExecutionStep& step, const NodeHook& after_node, Slots& slots, Stack& stack);
// An argument of a step that is to come. Moves it out of the slots at its last use if `take`.
c10::IValue fetch(const ArgumentSource& source, Slots& slots, bool take = true);

// The graph's outputs for its inputs, both in order and as many as the graph has; what stands for a constant input is
// not read.
// Throws Error that names the node whose operator failed.
Stack run_plan(const ExecutionPlan& plan, const NodeHook& after_node, Stack inputs);

}  // namespace torquant
