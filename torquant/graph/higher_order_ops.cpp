#include "torquant/graph/higher_order_ops.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/native/TypeProperties.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include "torquant/core/error.h"
#include "torquant/graph/execution_plan.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/wrapped_number.h"

namespace torquant {
namespace {

using c10::IValue;

[[noreturn]] void fail(const Node& node, std::string what, std::string allowed = {}) {
  throw Error({.where = node.describe(), .what = std::move(what), .allowed = std::move(allowed)});
}

// The argument `index`, which must be a T.
template <typename T>
const T& argument_at(const Node& node, size_t index, std::string_view kind) {
  const T* argument = index < node.args().size() ? std::get_if<T>(&node.args()[index].value) : nullptr;
  if (argument == nullptr) fail(node, fmt::format("argument {} is no {}", index, kind));
  return *argument;
}

using Body = std::function<Stack(Stack)>;
Body body_at(const Node& node, size_t index, const InterpreterOptions& options) {
  const auto& argument = argument_at<SubgraphArgument>(node, index, "subgraph");
  if (argument.graph == nullptr) fail(node, fmt::format("subgraph \"{}\" is missing", argument.name));
  const auto plan = std::make_shared<const ExecutionPlan>(make_plan(*argument.graph, options));
  return [plan, name = argument.name, &options](Stack inputs) {
    if (inputs.size() != plan->inputs.size()) {
      throw Error({.where = fmt::format("subgraph \"{}\"", name),
                   .what = fmt::format("called with {} arguments", inputs.size()),
                   .allowed = std::to_string(plan->inputs.size())});
    }
    return run_plan(*plan, options.after_node, std::move(inputs));
  };
}

// out_dtype(op, dtype, args...): the operator on tensors cast to the type that they and `dtype` promote to, its result
// cast to `dtype` (torch/_higher_order_ops/out_dtype.py, out_dtype_fallback).
NodeHandler out_dtype_handler(const Node& node) {
  std::string_view name = argument_at<OperatorArgument>(node, 0, "operator").name;
  if (constexpr std::string_view kPrefix = "torch.ops."; name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  const c10::OperatorHandle* op = find_operator(OpId(name));
  if (op == nullptr) fail(node, fmt::format("operator \"{}\" is not known", name));
  const auto dtype = argument_at<at::ScalarType>(node, 1, "dtype");

  const std::vector<c10::Argument>& schema = op->schema().arguments();
  const size_t given = node.args().size() - 2;
  if (given > schema.size()) fail(node, fmt::format("{} arguments for {}", given, name), std::to_string(schema.size()));
  for (size_t i = given; i < schema.size(); ++i) {
    if (!schema[i].default_value()) fail(node, fmt::format("argument \"{}\" of {} is missing", schema[i].name(), name));
  }
  const std::vector<c10::Argument>& returns = op->schema().returns();
  if (returns.size() != 1 || returns[0].type()->kind() != c10::TypeKind::TensorType) {
    fail(node, fmt::format("{} does not return one tensor", name));
  }

  return [op, dtype](const Node&, Stack& stack) {
    at::native::ResultTypeState state = at::native::update_result_type_state(at::ones({1}, dtype), {});
    for (size_t i = 2; i < stack.size(); ++i) {
      if (stack[i].isTensor()) state = at::native::update_result_type_state(stack[i].toTensor(), state);
      if (stack[i].isScalar()) {
        state = at::native::update_result_type_state(wrapped_number(stack[i].toScalar()), state);
      }
    }
    const at::ScalarType promoted = at::native::result_type(state);
    Stack args;
    for (size_t i = 2; i < stack.size(); ++i) {
      args.push_back(stack[i].isTensor() ? IValue(stack[i].toTensor().to(promoted)) : std::move(stack[i]));
    }
    const std::vector<c10::Argument>& schema = op->schema().arguments();
    for (size_t i = 0; i < schema.size(); ++i) {
      if (i >= args.size()) args.push_back(*schema[i].default_value());
      const bool wants_tensor = schema[i].type()->kind() == c10::TypeKind::TensorType;
      if (wants_tensor && args[i].isScalar()) args[i] = wrapped_number(args[i].toScalar());
    }
    op->callBoxed(args);
    stack = {args.at(0).toTensor().to(dtype)};
  };
}

// wrap_with_set_grad_enabled(enabled, body, args...)
NodeHandler set_grad_enabled_handler(const Node& node, const InterpreterOptions& options) {
  return [body = body_at(node, 1, options)](const Node&, Stack& stack) {
    const at::AutoGradMode mode(stack.at(0).toBool());
    stack = body(Stack(stack.begin() + 2, stack.end()));
  };
}

// cond(predicate, on_true, on_false, [args...])
NodeHandler cond_handler(const Node& node, const InterpreterOptions& options) {
  return [on_true = body_at(node, 1, options), on_false = body_at(node, 2, options)](const Node&, Stack& stack) {
    const IValue& predicate = stack.at(0);
    const bool holds = predicate.isTensor() ? predicate.toTensor().item<bool>() : predicate.toScalar().to<bool>();
    const c10::ArrayRef<IValue> args = stack.at(3).toListRef();
    stack = (holds ? on_true : on_false)(Stack(args.begin(), args.end()));
  };
}

}  // namespace

NodeHandler higher_order_handler(const Node& node, const InterpreterOptions& options) {
  const std::string& name = node.op().name();
  if (name == "higher_order.out_dtype") return out_dtype_handler(node);
  if (name == "higher_order.wrap_with_set_grad_enabled") return set_grad_enabled_handler(node, options);
  if (name == "higher_order.cond") return cond_handler(node, options);
  fail(node, fmt::format("higher-order operator {} cannot be run", name),
       "out_dtype, wrap_with_set_grad_enabled, cond");
}

}  // namespace torquant
