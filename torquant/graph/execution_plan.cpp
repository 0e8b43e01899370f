#include "torquant/graph/execution_plan.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "torquant/core/error.h"
#include "torquant/graph/higher_order_ops.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/scalar_ops.h"

namespace torquant {
namespace {

// Arguments in the order of the schema, with its defaults where the node leaves them out.
std::vector<ArgumentSource> schema_arguments(const Node& node, const c10::FunctionSchema& schema, SlotTable& slots) {
  std::vector<ArgumentSource> args;
  for (const c10::Argument& expected : schema.arguments()) {
    if (const Argument* given = node.find_arg(expected.name())) {
      try {
        args.push_back(argument_source(*given, &expected, slots));
      } catch (const Error& error) {
        throw error.within(fmt::format("{}: argument \"{}\"", node.describe(), expected.name()));
      }
    } else if (expected.default_value()) {
      args.push_back({.constant = *expected.default_value()});
    } else {
      throw Error({.where = node.describe(), .what = fmt::format("argument \"{}\" is missing", expected.name())});
    }
  }
  for (const NamedArgument& given : node.args()) {
    if (!schema.argumentIndexWithName(given.name)) {
      throw Error({.where = node.describe(), .what = fmt::format("has no argument \"{}\"", given.name)});
    }
  }
  return args;
}

// Arguments in the order of the node; what is part of the operator (a body, another operator) stands as None.
std::vector<ArgumentSource> node_arguments(const Node& node, SlotTable& slots) {
  std::vector<ArgumentSource> args;
  for (const NamedArgument& arg : node.args()) {
    const bool is_code =
        std::holds_alternative<SubgraphArgument>(arg.value) || std::holds_alternative<OperatorArgument>(arg.value);
    args.push_back(is_code ? ArgumentSource{} : argument_source(arg.value, nullptr, slots));
  }
  return args;
}

void run_scalar_node(const Node& node, Stack& stack) {
  c10::IValue result = run_scalar_op(node.op(), stack);
  stack.clear();
  stack.push_back(std::move(result));
}

ExecutionStep make_step(const Node& node, const InterpreterOptions& options, SlotTable& slots) {
  ExecutionStep step{.node = &node};
  if (const auto given = options.handlers.find(node.op()); given != options.handlers.end()) {
    step.handler = std::cref(given->second);  // not a copy: it may hold state
  } else if (node.op().is_dispatcher_op()) {
    step.op = find_operator(node.op());
    if (step.op == nullptr) {
      throw Error({.where = node.describe(),
                   .what = fmt::format("operator {} is not known to this process", node.op().name()),
                   .hint = "load the library that registers it"});
    }
  } else if (is_scalar_op(node.op())) {
    step.handler = run_scalar_node;
  } else {
    step.handler = higher_order_handler(node, options);
  }
  step.args = step.op != nullptr ? schema_arguments(node, step.op->schema(), slots) : node_arguments(node, slots);
  for (const OutputGroup& group : node.outputs()) {
    std::vector<int>& result = step.results.emplace_back();
    for (const Value* value : group.values) result.push_back(slots.of(value));
  }
  return step;
}

// From the end: the last reader of a value moves it out of its slot, or the slot is emptied after that step.
void find_last_uses(ExecutionPlan& plan) {
  std::unordered_set<int> live;
  for (const ArgumentSource& output : plan.outputs) live.insert(output.slots.begin(), output.slots.end());
  for (auto step = plan.steps.rbegin(); step != plan.steps.rend(); ++step) {
    std::unordered_map<int, int> uses;
    for (const ArgumentSource& arg : step->args) {
      for (const int slot : arg.slots) ++uses[slot];
    }
    for (const std::vector<int>& group : step->results) {
      for (const int slot : group) {
        if (live.insert(slot).second) step->dead.push_back(slot);  // nobody reads it
      }
    }
    for (ArgumentSource& arg : step->args) {
      for (const int slot : arg.slots) {
        if (slot == SlotTable::kNone || !live.insert(slot).second) continue;
        arg.last_use = arg.kind == ArgumentSource::Kind::kSlot && !arg.scalar_to_tensor && uses[slot] == 1;
        if (!arg.last_use) step->dead.push_back(slot);
      }
    }
  }
}

}  // namespace

ExecutionPlan make_plan(const Graph& graph, const InterpreterOptions& options) {
  ExecutionPlan plan;
  SlotTable slots;
  for (const Argument& input : graph.inputs()) plan.inputs.push_back(slots.of(value_of(input)));
  for (const Node& node : graph) plan.steps.push_back(make_step(node, options, slots));
  for (const Argument& output : graph.outputs()) plan.outputs.push_back(argument_source(output, nullptr, slots));
  plan.slot_count = slots.size();
  find_last_uses(plan);
  return plan;
}

}  // namespace torquant
