#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "torquant/graph/argument.h"
#include "torquant/graph/op_id.h"
#include "torquant/graph/value.h"

namespace torquant {

// What one return of an operator's schema became: one value, a list of values (Tensor[]), or nothing.
struct OutputGroup {
  std::vector<Value*> values;
  bool is_list = false;
};

// One entry of nn_module_stack: the path of a module ("layer1.0.conv1"; "" is the root) and its type.
struct ModuleScope {
  std::string path;
  std::string type;  // "torch.nn.modules.conv.Conv2d"
};

// One operator call. Owned by its Graph, at a stable address.
class Node {
 public:
  const OpId& op() const { return op_; }
  const std::string& name() const { return name_; }
  Graph& graph() const { return *graph_; }

  // Arguments as the program gives them: those equal to their default may be left out.
  const std::vector<NamedArgument>& args() const { return args_; }
  // The argument of that name; null when it is left out.
  const Argument* find_arg(std::string_view name) const;
  // The argument's value when it is given and is a value; else null.
  Value* input(std::string_view name) const;

  // Sets or adds an argument; uses are kept up to date.
  void set_arg(std::string_view name, Argument value, bool keyword = false);
  void set_args(std::vector<NamedArgument> args);
  void set_op(OpId op) { op_ = op; }
  // Exchanges `from` for `to` in all arguments.
  void replace_input(Value* from, Value* to);

  const std::vector<OutputGroup>& outputs() const { return outputs_; }
  // The only value of a node that has exactly one; null otherwise.
  Value* output() const;
  // Every value that the node defines, in order.
  std::vector<Value*> values() const;

  // All values that the node reads, each once, in order.
  std::vector<Value*> inputs() const;

  // The archive's node metadata, in order: stack_trace, nn_module_stack, torch_fn, source_fn_stack, ...
  std::vector<std::pair<std::string, std::string>>& metadata() { return metadata_; }
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }
  const std::string* find_metadata(std::string_view key) const;
  void set_metadata(std::string_view key, std::string text);

  // Archive flag of a higher-order operator that returns a bare tensor; mostly absent.
  std::optional<bool> single_tensor_return = std::nullopt;

  // The modules around the node, outermost first; empty when the exporter recorded none.
  std::vector<ModuleScope> module_stack() const;
  // The innermost module's path; "" for the root.
  std::string module_path() const;
  // "layer1.0.conv1 (%conv2d_1, aten.conv2d.default)": how errors and reports name it.
  std::string describe() const;

 private:
  friend class Graph;
  Node(Graph* graph, OpId op, std::string name) : graph_(graph), op_(op), name_(std::move(name)) {}
  void remove_uses();
  void add_uses();

  Graph* graph_;
  OpId op_;
  std::string name_;
  std::vector<NamedArgument> args_;
  std::vector<OutputGroup> outputs_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  Node* prev_ = nullptr;  // neighbours in topological order; the graph's output node closes the ring
  Node* next_ = nullptr;
};

}  // namespace torquant
