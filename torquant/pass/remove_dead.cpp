#include "torquant/pass/remove_dead.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <unordered_set>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

// Batch norm in training mode updates its statistics though its schema does not say so.
bool trains_batch_norm(const Node& node) {
  return node.op().name().find("batch_norm") != std::string::npos && node.find_arg("training") != nullptr &&
         bool_arg(node, "training");
}

bool has_effect(const Node& node) {
  if (node.op() == ops::kObserve) return false;
  const c10::OperatorHandle* op = find_operator(node.op());
  if (op == nullptr) return node.op().name().starts_with("higher_order.") || node.op().is_dispatcher_op();
  return op->schema().is_mutable() || op->schema().returns().empty() || trains_batch_norm(node);
}

}  // namespace

PassResult remove_dead_nodes(Program& program) {
  PassResult result;
  std::vector<Node*> nodes = program.graph().nodes_snapshot();
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    Node* node = *it;
    const std::vector<Value*> values = node->values();
    const bool read = std::any_of(values.begin(), values.end(), [](const Value* v) { return !v->users().empty(); });
    if (read || has_effect(*node)) continue;
    program.graph().erase(node);
    result.changed = true;
  }
  return result;
}

PassResult remove_dead_state(Program& program) {
  PassResult result;
  std::vector<Value*> dead;
  std::unordered_set<std::string> live;
  for (size_t i = 0; i < program.input_specs().size(); ++i) {
    const InputSpec& spec = program.input_specs()[i];
    Value* value = value_of(program.graph().inputs()[i]);
    const bool state = spec.kind == InputKind::kParameter || spec.kind == InputKind::kBuffer ||
                       spec.kind == InputKind::kTensorConstant;
    if (!state || value == nullptr) continue;
    if (value->users().empty()) {
      dead.push_back(value);
    } else {
      live.insert(spec.target);
    }
  }
  for (const OutputSpec& spec : program.output_specs()) {
    if (spec.kind == OutputKind::kBufferMutation || spec.kind == OutputKind::kParameterMutation) {
      live.insert(spec.target);
    }
  }
  std::erase_if(dead, [&](const Value* value) { return live.contains(program.spec_of(value)->target); });
  program.erase_inputs(dead);
  std::unordered_set<std::string> unreferenced;
  for (const StateTensor& entry : program.state()) {
    if (!live.contains(entry.name)) unreferenced.insert(entry.name);
  }
  program.erase_states(unreferenced);
  result.changed = !dead.empty() || !unreferenced.empty();
  return result;
}

}  // namespace torquant
