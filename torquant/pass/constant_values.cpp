#include "torquant/pass/constant_values.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "torquant/core/error.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/aliasing.h"

namespace torquant {

namespace {

// Those that give a tensor of nothing but numbers, the same each time.
bool makes_constants(const OpId& op) {
  static const std::unordered_set<OpId> kOps = {OpId{"aten.arange.default"},    OpId{"aten.arange.start"},
                                                OpId{"aten.arange.start_step"}, OpId{"aten.full.default"},
                                                OpId{"aten.ones.default"},      OpId{"aten.zeros.default"}};
  return kOps.contains(op);
}

std::unordered_set<const Value*> reached_by_no_input(const Program& program, bool with_made) {
  std::unordered_set<const Value*> constants;
  for (const Argument& input : program.graph().inputs()) {
    const Value* value = value_of(input);
    if (value != nullptr && program.tensor_of(value) != nullptr) constants.insert(value);
  }
  for (const Node& node : program.graph()) {
    if (writes_in_place(node)) {
      for (const Value* value : node.inputs()) constants.erase(value);
    }
  }
  for (const Node& node : program.graph()) {
    const std::vector<Value*> inputs = node.inputs();
    const bool is_made = inputs.empty() && with_made && makes_constants(node.op());
    const bool constant = (!inputs.empty() || is_made) && !writes_in_place(node) && node.op().is_dispatcher_op() &&
                          std::all_of(inputs.begin(), inputs.end(), [&](Value* v) { return constants.contains(v); });
    if (!constant) continue;
    for (const Value* value : node.values()) constants.insert(value);
  }
  return constants;
}

}  // namespace

std::unordered_set<const Value*> constant_values(const Program& program) { return reached_by_no_input(program, false); }
std::unordered_set<const Value*> known_values(const Program& program) { return reached_by_no_input(program, true); }

at::Tensor evaluate_constant(const Program& program, const Value* value) {
  if (const at::Tensor* tensor = program.tensor_of(value)) return tensor->detach();
  // A program of its own: what is found by walking back from `value`, readers after what they read.
  Program part;
  std::unordered_map<const Value*, Value*> copied;
  std::vector<const Value*> stack = {value};
  while (!stack.empty()) {
    const Value* next = stack.back();
    if (copied.contains(next)) {
      stack.pop_back();
      continue;
    }
    if (next->producer() == nullptr) {
      const InputSpec* spec = program.spec_of(next);
      if (program.tensor_of(next) == nullptr) {
        throw Error({.where = "%" + value->name(), .what = fmt::format("depends on input %{}", next->name())});
      }
      copied[next] = part.graph().add_input(next->name(), next->meta());
      part.input_specs().push_back(*spec);
      part.set_state(spec->target, program.tensor_of(next)->detach());
      stack.pop_back();
      continue;
    }
    const std::vector<Value*> inputs = next->producer()->inputs();
    const auto missing = std::find_if(inputs.begin(), inputs.end(), [&](Value* v) { return !copied.contains(v); });
    if (missing != inputs.end()) {
      stack.push_back(*missing);
    } else if (next->producer()->op() == ops::kObserve) {
      copied[next] = copied.at(next->producer()->input("input"));  // an observer hands on what it sees
      stack.pop_back();
    } else {
      copy_node(*next->producer(), part.graph(), copied);
      stack.pop_back();
    }
  }
  part.graph().set_outputs({copied.at(value)});
  part.output_specs().emplace_back();
  const at::NoGradGuard no_grad;
  return Interpreter(part).forward({})[0];
}

}  // namespace torquant
