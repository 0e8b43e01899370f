#include "torquant/graph/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "torquant/core/error.h"

namespace torquant {

const at::Tensor* Program::find_state(std::string_view name) const {
  const auto found = state_index_.find(std::string(name));
  return found == state_index_.end() ? nullptr : &state_[found->second].tensor;
}

void Program::set_state(std::string_view name, at::Tensor tensor) {
  const auto found = state_index_.find(std::string(name));
  if (found == state_index_.end()) {
    set_state({std::string(name), std::move(tensor)});
  } else {
    state_[found->second].tensor = std::move(tensor);
  }
}

void Program::set_state(StateTensor entry) {
  const auto [found, fresh] = state_index_.try_emplace(entry.name, state_.size());
  if (fresh) {
    state_.push_back(std::move(entry));
  } else {
    state_[found->second] = std::move(entry);
  }
}

void Program::erase_states(const std::unordered_set<std::string>& names) {
  std::erase_if(state_, [&](const StateTensor& entry) { return names.contains(entry.name); });
  index_state();
}

void Program::index_state() {
  state_index_.clear();
  for (size_t i = 0; i < state_.size(); ++i) state_index_.emplace(state_[i].name, i);
}

void Program::rename_state(const std::string& from, const std::string& to) {
  const auto found = state_index_.find(from);
  if (found == state_index_.end()) return;
  state_[found->second].name = to;
  index_state();
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
  const size_t i = input->input_index();
  const bool ours = i < input_specs_.size() && i < graph_->inputs().size() && value_of(graph_->inputs()[i]) == input;
  return ours ? &input_specs_[i] : nullptr;
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
  const auto is_user = [](const InputSpec& spec) { return spec.kind == InputKind::kUser; };
  const auto first_user = std::find_if(input_specs_.begin(), input_specs_.end(), is_user);
  const auto position = static_cast<size_t>(first_user - input_specs_.begin());
  std::string value_name = prefix + name;
  std::replace(value_name.begin(), value_name.end(), '.', '_');
  Value* value = graph_->insert_input(position, graph_->unique_name(value_name), meta_of(tensor));
  input_specs_.insert(input_specs_.begin() + static_cast<std::ptrdiff_t>(position), {kind, name, persistent});
  set_state({name, std::move(tensor), kind == InputKind::kParameter});
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

void Program::erase_inputs(const std::vector<Value*>& inputs) {
  std::unordered_set<std::string> unread;
  std::vector<bool> erased(input_specs_.size());
  for (const Value* input : inputs) {
    erased[input->input_index()] = true;
    const InputSpec& spec = input_specs_[input->input_index()];
    if (spec.kind != InputKind::kUser) unread.insert(spec.target);
  }
  graph_->erase_inputs(inputs);
  std::vector<InputSpec> kept;
  for (size_t i = 0; i < input_specs_.size(); ++i) {
    if (erased[i]) continue;
    if (input_specs_[i].kind != InputKind::kUser) unread.erase(input_specs_[i].target);
    kept.push_back(std::move(input_specs_[i]));
  }
  input_specs_ = std::move(kept);
  erase_states(unread);
}

std::unordered_map<std::string, size_t> count_state_readers(const Program& program) {
  std::unordered_map<std::string, size_t> readers;
  for (const InputSpec& spec : program.input_specs()) {
    if (spec.kind != InputKind::kUser) ++readers[spec.target];
  }
  return readers;
}

Program Program::clone() const {
  Program copy;
  copy.graph_ = clone_graph(*graph_);
  copy.input_specs_ = input_specs_;
  copy.output_specs_ = output_specs_;
  copy.state_ = state_;
  copy.state_index_ = state_index_;
  copy.ranges_ = ranges_;
  copy.remainder_ = remainder_;
  return copy;
}

}  // namespace torquant
