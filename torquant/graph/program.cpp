#include "torquant/graph/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "torquant/core/error.h"

namespace torquant {

const at::Tensor* Program::find_state(std::string_view name) const {
  for (const StateTensor& entry : state_) {
    if (entry.name == name) return &entry.tensor;
  }
  return nullptr;
}

void Program::set_state(std::string_view name, at::Tensor tensor) {
  for (StateTensor& entry : state_) {
    if (entry.name == name) {
      entry.tensor = std::move(tensor);
      return;
    }
  }
  state_.push_back({std::string(name), std::move(tensor)});
}

void Program::set_state(StateTensor entry) {
  const auto same_name = [&](const StateTensor& other) { return other.name == entry.name; };
  const auto found = std::find_if(state_.begin(), state_.end(), same_name);
  if (found == state_.end()) {
    state_.push_back(std::move(entry));
  } else {
    *found = std::move(entry);
  }
}

void Program::erase_state(std::string_view name) {
  std::erase_if(state_, [&](const StateTensor& entry) { return entry.name == name; });
}

void Program::rename_state(const std::string& from, const std::string& to) {
  for (StateTensor& entry : state_) {
    if (entry.name == from) entry.name = to;
  }
  for (InputSpec& spec : input_specs_) {
    if (spec.kind != InputKind::kUser && spec.target == from) spec.target = to;
  }
}

std::vector<Value*> Program::user_inputs() const {
  std::vector<Value*> values;
  for (size_t i = 0; i < input_specs_.size(); ++i) {
    if (input_specs_[i].kind != InputKind::kUser) continue;
    if (Value* value = value_of(graph_->inputs()[i])) values.push_back(value);
  }
  return values;
}

const InputSpec* Program::spec_of(const Value* input) const {
  if (input == nullptr || input->producer() != nullptr) return nullptr;
  for (size_t i = 0; i < input_specs_.size(); ++i) {
    if (value_of(graph_->inputs()[i]) == input) return &input_specs_[i];
  }
  return nullptr;
}

const at::Tensor* Program::tensor_of(const Value* input) const {
  const InputSpec* spec = spec_of(input);
  if (spec == nullptr || spec->target.empty()) return nullptr;
  if (spec->kind != InputKind::kParameter && spec->kind != InputKind::kBuffer &&
      spec->kind != InputKind::kTensorConstant) {
    return nullptr;
  }
  return find_state(spec->target);
}

Value* Program::add_state_input(InputKind kind, const std::string& name, at::Tensor tensor, bool persistent,
                                const char* prefix) {
  if (find_state(name) != nullptr) {
    throw Error({.where = "program", .what = fmt::format("the state already has a tensor \"{}\"", name)});
  }
  // State comes before the inputs of the caller, as torch.export orders it.
  size_t position = 0;
  while (position < input_specs_.size() && input_specs_[position].kind != InputKind::kUser) ++position;
  std::string value_name = prefix + name;
  std::replace(value_name.begin(), value_name.end(), '.', '_');
  Value* value = graph_->insert_input(position, graph_->unique_name(value_name), meta_of(tensor));
  input_specs_.insert(input_specs_.begin() + static_cast<std::ptrdiff_t>(position), {kind, name, persistent});
  state_.push_back({name, std::move(tensor), kind == InputKind::kParameter});
  return value;
}

Value* Program::add_buffer(const std::string& name, at::Tensor tensor, bool persistent) {
  return add_state_input(InputKind::kBuffer, name, std::move(tensor), persistent, "b_");
}

Value* Program::add_parameter(const std::string& name, at::Tensor tensor) {
  return add_state_input(InputKind::kParameter, name, std::move(tensor), true, "p_");
}

std::string Program::unique_state_name(const std::string& wanted) const {
  std::string name = wanted;
  for (int suffix = 1; find_state(name) != nullptr; ++suffix) name = fmt::format("{}_{}", wanted, suffix);
  return name;
}

void Program::erase_input(Value* input) {
  for (size_t i = 0; i < input_specs_.size(); ++i) {
    if (value_of(graph_->inputs()[i]) != input) continue;
    const InputSpec spec = input_specs_[i];
    graph_->erase_input(input);
    input_specs_.erase(input_specs_.begin() + static_cast<std::ptrdiff_t>(i));
    const bool read_elsewhere = std::any_of(input_specs_.begin(), input_specs_.end(), [&](const InputSpec& other) {
      return other.kind != InputKind::kUser && other.target == spec.target;
    });
    if (spec.kind != InputKind::kUser && !read_elsewhere) erase_state(spec.target);
    return;
  }
}

Program Program::clone() const {
  Program copy;
  copy.graph_ = clone_graph(*graph_);
  copy.input_specs_ = input_specs_;
  copy.output_specs_ = output_specs_;
  copy.state_ = state_;
  copy.ranges_ = ranges_;
  copy.remainder_ = remainder_;
  return copy;
}

namespace {

Argument translate(const Argument& argument, const std::unordered_map<const Value*, Value*>& values) {
  Argument result = argument;
  for_each_value(result, [&](Value*& value) { value = values.at(value); });
  if (auto* subgraph = std::get_if<SubgraphArgument>(&result)) subgraph->graph = clone_graph(*subgraph->graph);
  return result;
}

}  // namespace

Node* copy_node(const Node& node, Graph& target, std::unordered_map<const Value*, Value*>& values) {
  std::vector<NamedArgument> args;
  for (const NamedArgument& arg : node.args()) args.push_back({arg.name, translate(arg.value, values), arg.keyword});
  Node* twin = target.append(node.op(), node.name(), std::move(args));
  twin->metadata() = node.metadata();
  twin->single_tensor_return = node.single_tensor_return;
  for (const OutputGroup& group : node.outputs()) {
    if (group.is_list) {
      std::vector<std::pair<std::string, ValueMeta>> list;
      for (const Value* value : group.values) list.emplace_back(value->name(), value->meta());
      target.add_list_output(twin, list);
      const std::vector<Value*>& twins = twin->outputs().back().values;
      for (size_t i = 0; i < twins.size(); ++i) values[group.values[i]] = twins[i];
    } else if (group.values.empty()) {
      target.add_empty_output(twin);
    } else {
      values[group.values[0]] = target.add_output(twin, group.values[0]->name(), group.values[0]->meta());
    }
  }
  return twin;
}

std::unique_ptr<Graph> clone_graph(const Graph& graph) {
  auto copy = std::make_unique<Graph>();
  std::unordered_map<const Value*, Value*> values;
  for (const Argument& input : graph.inputs()) {
    if (const Value* value = value_of(input)) {
      values[value] = copy->add_input(value->name(), value->meta());
    } else {
      copy->add_constant_input(input);
    }
  }
  for (const Node& node : graph) copy_node(node, *copy, values);
  std::vector<Argument> outputs;
  for (const Argument& output : graph.outputs()) outputs.push_back(translate(output, values));
  copy->set_outputs(std::move(outputs));
  copy->is_single_tensor_return = graph.is_single_tensor_return;
  return copy;
}

}  // namespace torquant
