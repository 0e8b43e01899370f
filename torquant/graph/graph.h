#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "torquant/graph/node.h"

namespace torquant {

// Nodes in topological order, and the values between them. Nodes and values keep their addresses until erased.
class Graph {
 public:
  Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph();

  // An iterator that stays valid when other nodes are inserted or erased; erasing its own node invalidates it,
  // so loops that erase use nodes_snapshot().
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Node;
    using difference_type = std::ptrdiff_t;
    using pointer = Node*;
    using reference = Node&;

    Iterator() = default;
    explicit Iterator(Node* node) : node_(node) {}
    Node& operator*() const { return *node_; }
    Node* operator->() const { return node_; }
    Iterator& operator++();
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Node* node_ = nullptr;
  };
  Iterator begin() const;
  Iterator end() const;
  size_t size() const { return nodes_.size(); }
  std::vector<Node*> nodes_snapshot() const;

  // Inputs in order. A constant input (a Python scalar fixed by export) is no Value.
  const std::vector<Argument>& inputs() const { return inputs_; }
  // What the graph returns: the arguments of the output node, which is not among the nodes.
  Node& output_node() const { return *output_; }
  std::vector<Argument> outputs() const;
  void set_outputs(std::vector<Argument> outputs);

  // Names are unique in the graph; a taken name is an Error.
  Value* add_input(std::string name, ValueMeta meta);
  void add_constant_input(Argument constant) { inputs_.push_back(std::move(constant)); }
  // Puts a new input before the existing input `position`.
  Value* insert_input(size_t position, std::string name, ValueMeta meta);
  // Removes inputs that nothing reads; an Error names the reader otherwise.
  void erase_inputs(const std::vector<Value*>& values);
  void erase_input(Value* value) { erase_inputs({value}); }

  // Creates a node before `position` (the output node: at the end). `name` must be free; see unique_name.
  Node* insert_before(Node* position, OpId op, std::string name, std::vector<NamedArgument> args);
  Node* insert_after(Node* position, OpId op, std::string name, std::vector<NamedArgument> args);
  Node* append(OpId op, std::string name, std::vector<NamedArgument> args);
  // Adds the next output group of `node`: one value, or a list.
  Value* add_output(Node* node, std::string name, ValueMeta meta);
  void add_list_output(Node* node, const std::vector<std::pair<std::string, ValueMeta>>& values);
  void add_empty_output(Node* node);

  // Removes a node that nobody reads; an Error names the reader otherwise.
  void erase(Node* node);
  // Moves `node` to stand before `position`.
  void move_before(Node* node, Node* position);
  // Lets every reader of `from` read `to` instead; `keep`, if given, goes on reading `from`.
  void replace_all_uses(Value* from, Value* to, const Node* keep = nullptr);

  Value* find_value(std::string_view name) const;
  Node* find_node(std::string_view name) const;
  // `wanted`, or `wanted_1`, `wanted_2`, … : the first that neither a value nor a node has.
  std::string unique_name(std::string_view wanted) const;

  // Archive flag of a subgraph whose operator returns a bare tensor.
  bool is_single_tensor_return = false;

 private:
  friend class Node;
  Value* new_value(std::string name, ValueMeta meta);
  void delete_value(Value* value);
  void number_inputs(size_t first);
  void link_before(Node* node, Node* position);
  static void unlink(Node* node);

  std::unordered_map<std::string, std::unique_ptr<Value>> values_;
  std::unordered_map<std::string, std::unique_ptr<Node>> nodes_;
  mutable std::unordered_map<std::string, size_t> next_suffix_;
  std::vector<Argument> inputs_;
  std::unique_ptr<Node> output_;  // closes the ring of nodes
};

// Appends a copy of `node` to `target`: its inputs are looked up in `values`, its outputs are added there.
Node* copy_node(const Node& node, Graph& target, std::unordered_map<const Value*, Value*>& values);

// A deep copy of a graph: nodes, values, order and names.
std::unique_ptr<Graph> clone_graph(const Graph& graph);

}  // namespace torquant
