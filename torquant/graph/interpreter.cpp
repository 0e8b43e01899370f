#include "torquant/graph/interpreter.h"

#include <ATen/ScalarOps.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/native/TypeProperties.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "torquant/core/error.h"
#include "torquant/graph/input_check.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/scalar_ops.h"

namespace torquant {
namespace {

using c10::IValue;
using Stack = std::vector<IValue>;

// Where one argument of a node comes from.
struct Source {
  enum class Kind : uint8_t { kConstant, kSlot, kTensorList, kOptionalTensorList, kIntList };
  Kind kind = Kind::kConstant;
  bool scalar_to_tensor = false;  // the schema wants a tensor, the program may give a scalar
  bool last_use = false;          // kSlot: the value can be moved out
  IValue constant = {};
  std::vector<int> slots = {};         // -1: a missing tensor, or a constant size
  std::vector<int64_t> integers = {};  // kIntList: the constant where the slot is -1
};

struct Step {
  const Node* node = nullptr;
  const c10::OperatorHandle* op = nullptr;  // null for scalar functions, higher-order operators and handlers
  const NodeHandler* handler = nullptr;
  std::vector<Source> args = {};
  std::vector<std::vector<int>> results = {};  // slots by output group
  std::vector<int> dead = {};                  // slots without a later use
};

// PyTorch marks tensors made of Python scalars so that they do not take part in type promotion.
at::Tensor wrapped_number(const at::Scalar& scalar) {
  at::Tensor tensor = c10::scalar_to_tensor(scalar);
  tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  return tensor;
}

// What the schema says of an argument, as far as the layout of the value depends on it.
struct Expected {
  bool tensor = false;
  bool floating = false;
  bool boolean = false;
  bool list = false;
  bool float_list = false;
  bool optional_elements = false;
  int32_t list_size = 1;  // of int[2]: one integer stands for two

  static Expected of(const c10::Argument* argument) {
    Expected expected;
    if (argument == nullptr) return expected;
    c10::TypePtr type = argument->type();
    if (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
    expected.tensor = type->kind() == c10::TypeKind::TensorType;
    expected.floating = type->kind() == c10::TypeKind::FloatType;
    expected.boolean = type->kind() == c10::TypeKind::BoolType;
    if (const auto list = type->cast<c10::ListType>()) {
      expected.list = true;
      expected.float_list = list->getElementType()->kind() == c10::TypeKind::FloatType;
      expected.optional_elements = list->getElementType()->kind() == c10::TypeKind::OptionalType;
    }
    expected.list_size = argument->N().value_or(1);
    return expected;
  }
};

}  // namespace

// A graph laid out for running: values in numbered slots, nodes as steps.
class CompiledGraph {
 public:
  CompiledGraph(const Graph& graph, const InterpreterOptions& options) : options_(options) {
    for (const Argument& input : graph.inputs()) {
      const Value* value = value_of(input);
      inputs_.push_back(value == nullptr ? -1 : slot(value));
    }
    for (const Node& node : graph) compile(node);
    for (const Argument& output : graph.outputs()) outputs_.push_back(source(output, Expected{}));
    find_last_uses();
  }

  // `inputs` in the order of the graph's inputs; those of constant inputs are ignored.
  Stack run(Stack inputs) {
    std::vector<IValue> slots(slot_count_);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i] >= 0) slots[static_cast<size_t>(inputs_[i])] = std::move(inputs[i]);
    }
    Stack stack;
    for (const Step& step : steps_) {
      stack.clear();
      try {
        for (const Source& arg : step.args) stack.push_back(fetch(arg, slots));
        call(step, stack);
      } catch (const Error& error) {
        throw error.within(step.node->describe());
      } catch (const c10::Error& error) {
        throw Error({.where = step.node->describe(), .what = error.what_without_backtrace()});
      } catch (const std::out_of_range&) {  // a handler of ours asked for an argument that is not there
        throw Error(
            {.where = step.node->describe(), .what = fmt::format("called with {} arguments", step.args.size())});
      }
      if (options_.after_node) options_.after_node(*step.node, stack);
      store(step, stack, slots);
      for (const int dead : step.dead) slots[static_cast<size_t>(dead)] = IValue();
    }
    Stack results;
    for (const Source& output : outputs_) results.push_back(fetch(output, slots));
    return results;
  }

 private:
  int slot(const Value* value) {
    const auto [found, fresh] = slots_.try_emplace(value, static_cast<int>(slots_.size()));
    if (fresh) slot_count_ = slots_.size();
    return found->second;
  }

  void compile(const Node& node) {
    Step step{.node = &node};
    const auto handler = options_.handlers.find(node.op());
    if (handler != options_.handlers.end()) {
      step.handler = &handler->second;
      for (const NamedArgument& arg : node.args()) step.args.push_back(source(arg.value, Expected{}));
    } else if (node.op().is_dispatcher_op()) {
      step.op = find_operator(node.op());
      if (step.op == nullptr) {
        throw Error({.where = node.describe(),
                     .what = fmt::format("operator {} is not known to this process", node.op().name()),
                     .hint = "load the library that registers it"});
      }
      compile_arguments(node, step);
    } else if (is_scalar_op(node.op())) {
      for (const NamedArgument& arg : node.args()) step.args.push_back(source(arg.value, Expected{}));
    } else {
      compile_higher_order(node, step);
    }
    for (const OutputGroup& group : node.outputs()) {
      std::vector<int>& slots = step.results.emplace_back();
      for (const Value* value : group.values) slots.push_back(slot(value));
    }
    steps_.push_back(std::move(step));
  }

  void compile_arguments(const Node& node, Step& step) {
    const std::vector<c10::Argument>& schema = step.op->schema().arguments();
    for (const c10::Argument& expected : schema) {
      if (const Argument* given = node.find_arg(expected.name())) {
        try {
          step.args.push_back(source(*given, Expected::of(&expected)));
        } catch (const Error& error) {
          throw error.within(fmt::format("{}: argument \"{}\"", node.describe(), expected.name()));
        }
      } else if (expected.default_value()) {
        step.args.push_back({.constant = *expected.default_value()});
      } else {
        throw Error({.where = node.describe(), .what = fmt::format("argument \"{}\" is missing", expected.name())});
      }
    }
    for (const NamedArgument& given : node.args()) {
      const bool known = std::any_of(schema.begin(), schema.end(), [&](auto& arg) { return arg.name() == given.name; });
      if (!known) {
        throw Error({.where = node.describe(), .what = fmt::format("has no argument \"{}\"", given.name)});
      }
    }
  }

  void compile_higher_order(const Node& node, Step& step);

  Source source(const Argument& argument, const Expected& expected) {
    using Kind = Source::Kind;
    const auto constant = [](IValue value) { return Source{.constant = std::move(value)}; };
    const auto number = [&](auto value) {
      if (expected.tensor) return constant(wrapped_number(value));
      if (expected.floating) return constant(static_cast<double>(value));
      return constant(value);
    };
    if (is_none(argument)) return constant(IValue());
    if (const auto* value = std::get_if<Value*>(&argument)) {
      return {
          .kind = Kind::kSlot, .scalar_to_tensor = expected.tensor && !(*value)->is_tensor(), .slots = {slot(*value)}};
    }
    if (const auto* value = std::get_if<int64_t>(&argument)) {
      if (expected.float_list) {
        return constant(std::vector<double>(static_cast<size_t>(expected.list_size), static_cast<double>(*value)));
      }
      if (expected.list) return constant(std::vector<int64_t>(static_cast<size_t>(expected.list_size), *value));
      if (expected.boolean) return constant(*value != 0);
      return number(*value);
    }
    if (const auto* value = std::get_if<double>(&argument)) return number(*value);
    if (const auto* value = std::get_if<bool>(&argument)) {
      return expected.tensor ? constant(wrapped_number(*value)) : constant(*value);
    }
    if (const auto* value = std::get_if<std::string>(&argument)) return constant(*value);
    if (const auto* value = std::get_if<at::ScalarType>(&argument)) return constant(static_cast<int64_t>(*value));
    if (const auto* value = std::get_if<at::Layout>(&argument)) return constant(static_cast<int64_t>(*value));
    if (const auto* value = std::get_if<at::MemoryFormat>(&argument)) return constant(static_cast<int64_t>(*value));
    if (const auto* value = std::get_if<at::Device>(&argument)) return constant(*value);
    if (const auto* values = std::get_if<std::vector<int64_t>>(&argument)) {
      if (expected.float_list) return constant(std::vector<double>(values->begin(), values->end()));
      return constant(*values);
    }
    if (const auto* values = std::get_if<std::vector<double>>(&argument)) {
      if (!expected.optional_elements) return constant(*values);
      c10::List<std::optional<at::Scalar>> list;  // Scalar?[]: numbers that a post-op takes
      for (const double value : *values) list.push_back(at::Scalar(value));
      return constant(list);
    }
    if (const auto* values = std::get_if<std::vector<bool>>(&argument)) {
      c10::List<bool> list;
      for (const bool value : *values) list.push_back(value);
      return constant(list);
    }
    if (const auto* values = std::get_if<std::vector<std::string>>(&argument)) return constant(*values);
    if (const auto* values = std::get_if<std::vector<Value*>>(&argument)) {
      const bool missing = std::find(values->begin(), values->end(), nullptr) != values->end();
      Source list{.kind = expected.optional_elements || missing ? Kind::kOptionalTensorList : Kind::kTensorList};
      for (const Value* value : *values) list.slots.push_back(value == nullptr ? -1 : slot(value));
      return list;
    }
    if (const auto* items = std::get_if<std::vector<ScalarOrValue>>(&argument)) {
      Source list{.kind = Kind::kIntList};
      for (const ScalarOrValue& item : *items) {
        const auto* value = std::get_if<Value*>(&item);
        const auto* integer = std::get_if<int64_t>(&item);
        if (value == nullptr && integer == nullptr) {
          throw Error({.where = "", .what = "a list of symbolic floats or bools", .allowed = "symbolic integers"});
        }
        list.slots.push_back(value == nullptr ? -1 : slot(*value));
        list.integers.push_back(integer == nullptr ? 0 : *integer);
      }
      return list;
    }
    throw Error({.where = "", .what = "an argument of a kind that cannot be run (complex or nested list)"});
  }

  static IValue fetch(const Source& source, std::vector<IValue>& slots) {
    const auto at = [&](int slot) -> IValue& { return slots[static_cast<size_t>(slot)]; };
    switch (source.kind) {
      case Source::Kind::kConstant:
        return source.constant;
      case Source::Kind::kSlot: {
        IValue& value = at(source.slots[0]);
        if (source.scalar_to_tensor && !value.isTensor() && !value.isNone()) return wrapped_number(value.toScalar());
        return source.last_use ? std::move(value) : value;
      }
      case Source::Kind::kTensorList: {
        c10::List<at::Tensor> list;
        list.reserve(source.slots.size());
        for (const int slot : source.slots) list.push_back(at(slot).toTensor());
        return list;
      }
      case Source::Kind::kOptionalTensorList: {
        c10::List<std::optional<at::Tensor>> list;
        for (const int slot : source.slots) {
          list.push_back(slot < 0 ? std::nullopt : std::optional(at(slot).toTensor()));
        }
        return list;
      }
      case Source::Kind::kIntList: {
        c10::List<int64_t> list;
        for (size_t i = 0; i < source.slots.size(); ++i) {
          list.push_back(source.slots[i] < 0 ? source.integers[i] : at(source.slots[i]).toInt());
        }
        return list;
      }
    }
    return {};
  }

  static void call(const Step& step, Stack& stack) {
    if (step.op != nullptr) {
      step.op->callBoxed(stack);
    } else if (step.handler != nullptr) {
      (*step.handler)(*step.node, stack);
    } else {
      IValue result = run_scalar_op(step.node->op(), stack);
      stack.clear();
      stack.push_back(std::move(result));
    }
  }

  static void store(const Step& step, Stack& stack, std::vector<IValue>& slots) {
    if (stack.size() < step.results.size()) {
      throw Error({.where = step.node->describe(),
                   .what = fmt::format("gave {} outputs, the program expects {}", stack.size(), step.results.size())});
    }
    for (size_t i = 0; i < step.results.size(); ++i) {
      const std::vector<int>& targets = step.results[i];
      if (!stack[i].isList()) {
        if (!targets.empty()) slots[static_cast<size_t>(targets[0])] = std::move(stack[i]);
        continue;
      }
      const c10::ArrayRef<IValue> list = stack[i].toListRef();
      if (list.size() != targets.size()) {
        throw Error({.where = step.node->describe(),
                     .what = fmt::format("gave a list of {}, the program expects {}", list.size(), targets.size())});
      }
      for (size_t j = 0; j < targets.size(); ++j) slots[static_cast<size_t>(targets[j])] = list[j];
    }
  }

  void find_last_uses() {
    std::unordered_set<int> live;
    for (const Source& output : outputs_) live.insert(output.slots.begin(), output.slots.end());
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      std::unordered_map<int, int> uses;
      for (const Source& arg : step->args) {
        for (const int slot : arg.slots) ++uses[slot];
      }
      for (const auto& group : step->results) {
        for (const int slot : group) {
          if (live.insert(slot).second) step->dead.push_back(slot);  // nobody reads it
        }
      }
      for (Source& arg : step->args) {
        for (const int slot : arg.slots) {
          if (slot < 0 || !live.insert(slot).second) continue;
          arg.last_use = arg.kind == Source::Kind::kSlot && !arg.scalar_to_tensor && uses[slot] == 1;
          if (!arg.last_use) step->dead.push_back(slot);
        }
      }
    }
  }

  const InterpreterOptions& options_;
  std::unordered_map<const Value*, int> slots_;
  size_t slot_count_ = 0;
  std::vector<int> inputs_;
  std::vector<Step> steps_;
  std::vector<Source> outputs_;
  std::vector<std::unique_ptr<NodeHandler>> own_handlers_;  // of higher-order operators
};

namespace {

// torch.ops.higher_order.out_dtype(op, dtype, args...): the operator on tensors cast to the type that they and `dtype`
// promote to, its result cast to `dtype` (torch/_higher_order_ops/out_dtype.py, out_dtype_fallback).
NodeHandler out_dtype_handler(const c10::OperatorHandle* op, at::ScalarType dtype) {
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
      if (i >= args.size()) args.push_back(schema[i].default_value().value());
      const bool wants_tensor = schema[i].type()->kind() == c10::TypeKind::TensorType;
      if (wants_tensor && args[i].isScalar()) args[i] = wrapped_number(args[i].toScalar());
    }
    op->callBoxed(args);
    args[0] = args[0].toTensor().to(dtype);
    stack = std::move(args);
  };
}

// torch.ops.higher_order.wrap_with_set_grad_enabled(enabled, body, args...).
NodeHandler set_grad_enabled_handler(std::shared_ptr<CompiledGraph> body) {
  return [body = std::move(body)](const Node&, Stack& stack) {
    const at::AutoGradMode mode(stack.at(0).toBool());
    stack = body->run(Stack(stack.begin() + 2, stack.end()));
  };
}

// torch.ops.higher_order.cond(predicate, on_true, on_false, args).
NodeHandler cond_handler(std::shared_ptr<CompiledGraph> on_true, std::shared_ptr<CompiledGraph> on_false) {
  return [on_true = std::move(on_true), on_false = std::move(on_false)](const Node&, Stack& stack) {
    const bool condition = stack.at(0).isTensor() ? stack[0].toTensor().item<bool>() : stack[0].toScalar().to<bool>();
    const c10::ArrayRef<IValue> args = stack.at(3).toListRef();
    stack = (condition ? on_true : on_false)->run(Stack(args.begin(), args.end()));
  };
}

}  // namespace

void CompiledGraph::compile_higher_order(const Node& node, Step& step) {
  const std::string& name = node.op().name();
  const auto body_at = [&](size_t index) {
    const auto* body = index < node.args().size() ? std::get_if<SubgraphArgument>(&node.args()[index].value) : nullptr;
    if (body == nullptr) {
      throw Error({.where = node.describe(), .what = fmt::format("argument {} is no subgraph", index)});
    }
    return std::make_shared<CompiledGraph>(*body->graph, options_);
  };
  NodeHandler handler;
  size_t bodies_end = 0;  // arguments before it are no runtime values
  if (name == "higher_order.out_dtype") {
    const auto* inner = node.args().empty() ? nullptr : std::get_if<OperatorArgument>(&node.args()[0].value);
    const auto* dtype = node.args().size() < 2 ? nullptr : std::get_if<at::ScalarType>(&node.args()[1].value);
    std::string inner_name = inner == nullptr ? "" : inner->name;
    if (inner_name.starts_with("torch.ops.")) inner_name = inner_name.substr(10);
    const c10::OperatorHandle* op = find_operator(OpId(inner_name));
    if (op == nullptr || dtype == nullptr) {
      throw Error({.where = node.describe(), .what = fmt::format("operator \"{}\" is not known", inner_name)});
    }
    handler = out_dtype_handler(op, *dtype);
    bodies_end = 1;
  } else if (name == "higher_order.wrap_with_set_grad_enabled") {
    handler = set_grad_enabled_handler(body_at(1));
  } else if (name == "higher_order.cond") {
    handler = cond_handler(body_at(1), body_at(2));
  } else {
    throw Error({.where = node.describe(),
                 .what = fmt::format("higher-order operator {} cannot be run", name),
                 .allowed = "out_dtype, wrap_with_set_grad_enabled, cond"});
  }
  own_handlers_.push_back(std::make_unique<NodeHandler>(std::move(handler)));
  step.handler = own_handlers_.back().get();
  for (size_t i = 0; i < node.args().size(); ++i) {
    const Argument& argument = node.args()[i].value;
    const bool placeholder = i < bodies_end || std::holds_alternative<SubgraphArgument>(argument);
    step.args.push_back(placeholder ? Source{} : source(argument, Expected{}));
  }
}

namespace {

bool is_mutation(const OutputSpec& spec) {
  return spec.kind == OutputKind::kBufferMutation || spec.kind == OutputKind::kParameterMutation;
}

}  // namespace

struct Interpreter::Impl {
  Impl(const Program& program, InterpreterOptions opts)
      : program(program), options(std::move(opts)), graph(program.graph(), options) {
    for (const Argument& input : program.graph().inputs()) {
      const Value* value = value_of(input);
      const at::Tensor* tensor = program.tensor_of(value);
      inputs.push_back(tensor == nullptr ? IValue() : IValue(*tensor));
    }
    for (const OutputSpec& spec : program.output_specs()) {
      if (is_mutation(spec) && program.find_state(spec.target) == nullptr) {
        throw Error({.where = "outputs",
                     .what = fmt::format("the program writes to \"{}\", which it does not hold", spec.target)});
      }
    }
  }

  const Program& program;
  InterpreterOptions options;
  CompiledGraph graph;
  Stack inputs;  // the state; user inputs are filled in by each run
};

Interpreter::Interpreter(const Program& program, InterpreterOptions options)
    : impl_(std::make_unique<Impl>(program, std::move(options))) {}
Interpreter::Interpreter(Interpreter&&) noexcept = default;
Interpreter::~Interpreter() = default;

std::vector<IValue> Interpreter::run(std::vector<IValue> inputs) {
  const Program& program = impl_->program;
  check_inputs(program, inputs);
  Stack all = impl_->inputs;
  size_t next = 0;
  for (size_t i = 0; i < program.input_specs().size(); ++i) {
    const bool from_user = program.input_specs()[i].kind == InputKind::kUser && !all[i].isTensor();
    if (from_user && value_of(program.graph().inputs()[i]) != nullptr) all[i] = std::move(inputs[next++]);
  }
  Stack results = impl_->graph.run(std::move(all));
  std::vector<IValue> outputs;
  for (size_t i = 0; i < results.size(); ++i) {
    const OutputSpec& spec = program.output_specs()[i];
    if (is_mutation(spec)) {
      const at::NoGradGuard no_grad;
      try {
        program.find_state(spec.target)->copy_(results[i].toTensor());
      } catch (const c10::Error& error) {
        throw Error({.where = fmt::format("outputs: the new value of \"{}\"", spec.target),
                     .what = error.what_without_backtrace()});
      }
    } else {
      outputs.push_back(std::move(results[i]));
    }
  }
  return outputs;
}

std::vector<at::Tensor> Interpreter::forward(const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> outputs;
  for (IValue& output : run({inputs.begin(), inputs.end()})) {
    if (!output.isTensor())
      throw Error({.where = "outputs", .what = "the program returns something else than tensors"});
    outputs.push_back(std::move(output).toTensor());
  }
  return outputs;
}

}  // namespace torquant
