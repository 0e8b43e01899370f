#include "torquant/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <unordered_set>

#include "torquant/core/error.h"

namespace torquant {

Graph::Iterator& Graph::Iterator::operator++() {
  node_ = node_->next_;
  return *this;
}

Graph::Graph() : output_(new Node(this, OpId("output"), "output")) { output_->prev_ = output_->next_ = output_.get(); }
Graph::~Graph() = default;

Graph::Iterator Graph::begin() const { return Iterator(output_->next_); }
Graph::Iterator Graph::end() const { return Iterator(output_.get()); }

std::vector<Node*> Graph::nodes_snapshot() const {
  std::vector<Node*> nodes;
  nodes.reserve(size());
  for (Node& node : *this) nodes.push_back(&node);
  return nodes;
}

std::vector<Argument> Graph::outputs() const {
  std::vector<Argument> outputs;
  for (const NamedArgument& arg : output_->args()) outputs.push_back(arg.value);
  return outputs;
}

void Graph::set_outputs(std::vector<Argument> outputs) {
  std::vector<NamedArgument> args;
  for (Argument& output : outputs) args.push_back({std::to_string(args.size()), std::move(output)});
  output_->set_args(std::move(args));
}

Value* Graph::new_value(std::string name, ValueMeta meta) {
  if (values_.contains(name)) throw Error({.where = "graph", .what = fmt::format("two values are named %{}", name)});
  auto value = std::unique_ptr<Value>(new Value(name, std::move(meta)));
  return (values_[std::move(name)] = std::move(value)).get();
}

void Graph::delete_value(Value* value) {
  assert(value->users().empty());
  values_.erase(std::string(value->name()));
}

Value* Graph::add_input(std::string name, ValueMeta meta) {
  return insert_input(inputs_.size(), std::move(name), std::move(meta));
}

Value* Graph::insert_input(size_t position, std::string name, ValueMeta meta) {
  Value* value = new_value(std::move(name), std::move(meta));
  inputs_.insert(inputs_.begin() + static_cast<std::ptrdiff_t>(position), value);
  number_inputs(position);
  return value;
}

// Brings the positions that values know up to date, from `first` on.
void Graph::number_inputs(size_t first) {
  for (size_t i = first; i < inputs_.size(); ++i) {
    if (Value* value = value_of(inputs_[i])) value->input_index_ = i;
  }
}

void Graph::erase_inputs(const std::vector<Value*>& values) {
  for (const Value* value : values) {
    assert(value->producer() == nullptr);
    if (value->users().empty()) continue;
    throw Error({.where = "graph",
                 .what = fmt::format("input %{} cannot be removed: {} reads it", value->name(),
                                     value->users()[0]->describe())});
  }
  const std::unordered_set<const Value*> erased(values.begin(), values.end());
  std::erase_if(inputs_, [&](const Argument& input) { return erased.contains(value_of(input)); });
  for (Value* value : values) delete_value(value);
  number_inputs(0);
}

void Graph::link_before(Node* node, Node* position) {
  node->prev_ = position->prev_;
  node->next_ = position;
  position->prev_->next_ = node;
  position->prev_ = node;
}

void Graph::unlink(Node* node) {
  node->prev_->next_ = node->next_;
  node->next_->prev_ = node->prev_;
}

Node* Graph::insert_before(Node* position, OpId op, std::string name, std::vector<NamedArgument> args) {
  if (nodes_.contains(name)) throw Error({.where = "graph", .what = fmt::format("two nodes are named %{}", name)});
  auto owned = std::unique_ptr<Node>(new Node(this, op, name));
  Node* node = (nodes_[std::move(name)] = std::move(owned)).get();
  node->set_args(std::move(args));
  link_before(node, position);
  return node;
}

Node* Graph::insert_after(Node* position, OpId op, std::string name, std::vector<NamedArgument> args) {
  return insert_before(position->next_, op, std::move(name), std::move(args));
}

Node* Graph::append(OpId op, std::string name, std::vector<NamedArgument> args) {
  return insert_before(output_.get(), op, std::move(name), std::move(args));
}

Value* Graph::add_output(Node* node, std::string name, ValueMeta meta) {
  Value* value = new_value(std::move(name), std::move(meta));
  value->producer_ = node;
  node->outputs_.push_back({{value}, false});
  return value;
}

void Graph::add_list_output(Node* node, const std::vector<std::pair<std::string, ValueMeta>>& values) {
  OutputGroup group{{}, true};
  for (const auto& [name, meta] : values) {
    Value* value = new_value(name, meta);
    value->producer_ = node;
    group.values.push_back(value);
  }
  node->outputs_.push_back(std::move(group));
}

void Graph::add_empty_output(Node* node) { node->outputs_.push_back({{}, false}); }

void Graph::erase(Node* node) {
  for (Value* value : node->values()) {
    if (!value->users().empty()) {
      throw Error({.where = "graph",
                   .what = fmt::format("{} cannot be removed: {} reads %{}", node->describe(),
                                       value->users()[0]->describe(), value->name())});
    }
  }
  node->remove_uses();
  unlink(node);
  for (Value* value : node->values()) delete_value(value);
  nodes_.erase(std::string(node->name()));
}

void Graph::move_before(Node* node, Node* position) {
  if (node == position) return;
  unlink(node);
  link_before(node, position);
}

void Graph::replace_all_uses(Value* from, Value* to, const Node* keep) {
  const std::vector<Node*> users = from->users();
  for (Node* user : users) {
    if (user != keep) user->replace_input(from, to);
  }
}

Value* Graph::find_value(std::string_view name) const {
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? nullptr : found->second.get();
}

Node* Graph::find_node(std::string_view name) const {
  const auto found = nodes_.find(std::string(name));
  return found == nodes_.end() ? nullptr : found->second.get();
}

std::string Graph::unique_name(std::string_view wanted) const {
  const auto taken = [&](const std::string& name) { return values_.contains(name) || nodes_.contains(name); };
  std::string name(wanted);
  if (!taken(name)) return name;
  size_t& suffix = next_suffix_[name];  // remembered, so that naming n nodes alike stays linear
  do {
    name = fmt::format("{}_{}", wanted, ++suffix);
  } while (taken(name));
  return name;
}

}  // namespace torquant
