#include "torquant/graph/verifier.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "torquant/core/error.h"
#include "torquant/graph/argument_fits.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/shape_rules.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

[[noreturn]] void fail(const std::string& where, std::string what, std::string allowed = {}) {
  throw Error({.where = where, .what = std::move(what), .allowed = std::move(allowed)});
}

// ---- structure

class StructureCheck {
 public:
  explicit StructureCheck(const Graph& graph) : graph_(graph) {}

  void run() {
    for (const Argument& input : graph_.inputs()) {
      if (Value* value = value_of(input)) define(value, nullptr, "inputs");
    }
    for (const Node& node : graph_) {
      read(node, node.describe());
      for (Value* value : node.values()) define(value, &node, node.describe());
    }
    read(graph_.output_node(), "outputs");
    for (const Value* value : defined_) check_users(*value);
  }

 private:
  void define(const Value* value, const Node* producer, const std::string& where) {
    if (!defined_.insert(value).second) fail(where, fmt::format("%{} is defined twice", value->name()));
    if (value->producer() != producer)
      fail(where, fmt::format("%{} names another node as its producer", value->name()));
  }

  void read(const Node& node, const std::string& where) {
    for (const Value* value : node.inputs()) {
      readers_[value].push_back(&node);
      if (defined_.contains(value)) continue;
      fail(where, graph_.find_value(value->name()) == value
                      ? fmt::format("reads %{} before it is defined", value->name())
                      : fmt::format("reads %{} of another graph", value->name()));
    }
  }

  void check_users(const Value& value) {
    std::vector<const Node*> readers = readers_[&value];
    std::vector<const Node*> users(value.users().begin(), value.users().end());
    std::sort(readers.begin(), readers.end());
    std::sort(users.begin(), users.end());
    if (readers != users) {
      fail("%" + value.name(), fmt::format("{} nodes read it, its list of users has {}", readers.size(), users.size()));
    }
  }

  const Graph& graph_;
  std::unordered_set<const Value*> defined_;
  std::unordered_map<const Value*, std::vector<const Node*>> readers_;
};

// ---- operators

void check_arguments(const Node& node, const c10::FunctionSchema& schema) {
  for (const NamedArgument& given : node.args()) {
    const auto expected = std::find_if(schema.arguments().begin(), schema.arguments().end(),
                                       [&](const c10::Argument& arg) { return arg.name() == given.name; });
    if (expected == schema.arguments().end()) {
      std::string names;
      for (const c10::Argument& arg : schema.arguments()) names += (names.empty() ? "" : ", ") + arg.name();
      fail(node.describe(), fmt::format("has no argument \"{}\"", given.name), names);
    }
    const auto same_name = [&](const NamedArgument& other) { return other.name == given.name; };
    if (std::count_if(node.args().begin(), node.args().end(), same_name) > 1) {
      fail(node.describe(), fmt::format("argument \"{}\" is given twice", given.name));
    }
    if (!fits(given.value, *expected->type())) {
      fail(node.describe(), fmt::format("argument \"{}\" is of a kind that does not fit", given.name),
           expected->real_type()->str());
    }
  }
  for (const c10::Argument& expected : schema.arguments()) {
    if (!expected.default_value() && node.find_arg(expected.name()) == nullptr) {
      fail(node.describe(), fmt::format("argument \"{}\" is missing", expected.name()), expected.real_type()->str());
    }
  }
}

void check_outputs(const Node& node, const c10::FunctionSchema& schema) {
  // In-place operators and those of which nothing is read may record fewer results.
  if (node.outputs().size() > schema.returns().size()) {
    fail(node.describe(), fmt::format("{} results", node.outputs().size()), std::to_string(schema.returns().size()));
  }
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const bool returns_list = schema.returns()[i].type()->kind() == c10::TypeKind::ListType;
    if (node.outputs()[i].is_list != returns_list) {
      fail(node.describe(), fmt::format("result {} is {}a list", i, returns_list ? "not " : ""),
           schema.returns()[i].type()->str());
    }
  }
}

// ---- types

// What two descriptions say differently; "" when they can both hold.
std::string difference(const ValueMeta& recorded, const ValueMeta& inferred) {
  if (recorded.index() != inferred.index()) return "kind";
  const auto* a = std::get_if<TensorMeta>(&recorded);
  const auto* b = std::get_if<TensorMeta>(&inferred);
  if (a == nullptr || b == nullptr) return "";
  if (a->dtype != b->dtype) return "dtype";
  if (a->rank() != b->rank()) return "rank";
  for (size_t i = 0; i < a->rank(); ++i) {
    if (contradict(a->sizes[i], b->sizes[i])) return fmt::format("size on axis {}", i);
  }
  return "";
}

std::string sizes_and_dtype(const ValueMeta& meta) {
  const auto* tensor = std::get_if<TensorMeta>(&meta);
  return tensor == nullptr ? to_text(meta) : to_text(contiguous_meta(tensor->dtype, tensor->sizes));
}

void check_types(const Node& node) {
  const auto inferred = infer(node);
  if (!inferred) return;
  const std::vector<Value*> values = node.values();
  // Results that nothing reads may be left out, but only from the end.
  if (values.size() > inferred->size()) {
    fail(node.describe(), fmt::format("{} results", values.size()), std::to_string(inferred->size()));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string what = difference(values[i]->meta(), (*inferred)[i]);
    if (what.empty()) continue;
    fail(node.describe(),
         fmt::format("%{} is recorded as {}, but its {} does not follow from what the node reads", values[i]->name(),
                     sizes_and_dtype(values[i]->meta()), what),
         sizes_and_dtype((*inferred)[i]));
  }
}

void verify_graph(const Graph& graph) {
  StructureCheck(graph).run();
  for (const Node& node : graph) {
    if (const c10::OperatorHandle* op = find_operator(node.op())) {
      check_arguments(node, op->schema());
      check_outputs(node, op->schema());
      check_types(node);
    }
    for (const NamedArgument& arg : node.args()) {
      const auto* body = std::get_if<SubgraphArgument>(&arg.value);
      if (body == nullptr) continue;
      if (body->graph == nullptr) fail(node.describe(), fmt::format("subgraph \"{}\" is missing", body->name));
      try {
        verify_graph(*body->graph);
      } catch (const Error& error) {
        throw error.within(fmt::format("{}: subgraph \"{}\"", node.describe(), body->name));
      }
    }
  }
}

// ---- signature

void check_state_input(const Program& program, const InputSpec& spec, const Value* value) {
  const at::Tensor* tensor = program.find_state(spec.target);
  if (tensor == nullptr) fail(spec.target, "an input reads this tensor, but the program does not hold it");
  if (value == nullptr || !value->is_tensor()) fail(spec.target, "the input that reads this tensor is no tensor");
  const std::string what = difference(value->meta(), meta_of(*tensor));
  if (!what.empty()) {
    fail(spec.target,
         fmt::format("input %{} is recorded as {}, the tensor differs in {}", value->name(),
                     sizes_and_dtype(value->meta()), what),
         sizes_and_dtype(meta_of(*tensor)));
  }
}

void check_mutation(const Program& program, const OutputSpec& spec, const Argument& output) {
  switch (spec.kind) {
    case OutputKind::kBufferMutation:
    case OutputKind::kParameterMutation:
    case OutputKind::kGradientToParameter:
      if (program.find_state(spec.target) == nullptr)
        fail("outputs", fmt::format("no tensor \"{}\" to write to", spec.target));
      break;
    case OutputKind::kUserInputMutation:
    case OutputKind::kGradientToUserInput: {
      const Value* input = program.graph().find_value(spec.target);
      if (input == nullptr || input->producer() != nullptr)
        fail("outputs", fmt::format("no input \"{}\" to write to", spec.target));
      break;
    }
    case OutputKind::kLoss:
      break;
    case OutputKind::kUser:
    case OutputKind::kToken:
      return;
  }
  const Value* value = value_of(output);
  if (value == nullptr || !value->is_tensor())
    fail("outputs", fmt::format("what is written to \"{}\" is no tensor", spec.target));
}

void check_signature(const Program& program) {
  verify_spec_counts(program);
  const std::vector<Argument>& inputs = program.graph().inputs();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const InputSpec& spec = program.input_specs()[i];
    switch (spec.kind) {
      case InputKind::kParameter:
      case InputKind::kBuffer:
      case InputKind::kTensorConstant:
        check_state_input(program, spec, value_of(inputs[i]));
        break;
      case InputKind::kConstant:
        if (value_of(inputs[i]) != nullptr)
          fail("signature", fmt::format("constant input \"{}\" is a value", spec.target));
        break;
      case InputKind::kUser:
      case InputKind::kCustomObject:
      case InputKind::kToken:
        break;
    }
  }
  const std::vector<Argument> outputs = program.graph().outputs();
  for (size_t i = 0; i < outputs.size(); ++i) check_mutation(program, program.output_specs()[i], outputs[i]);
}

}  // namespace

void verify_spec_counts(const Program& program) {
  const size_t inputs = program.graph().inputs().size();
  if (program.input_specs().size() != inputs) {
    fail("signature", fmt::format("{} input specs for {} inputs", program.input_specs().size(), inputs));
  }
  const size_t outputs = program.graph().output_node().args().size();
  if (program.output_specs().size() != outputs) {
    fail("signature", fmt::format("{} output specs for {} outputs", program.output_specs().size(), outputs));
  }
}

void verify(const Program& program) {
  check_signature(program);
  verify_graph(program.graph());
}

}  // namespace torquant
