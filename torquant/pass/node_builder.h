#pragma once

#include <string>
#include <vector>

#include "torquant/graph/program.h"

namespace torquant {

// Writes elementwise arithmetic into a graph, one ATen call a node, all before one node and with the module path and
// stack trace of another. Operands are values or numbers; a result has the shape of the operand that the caller names.
class NodeBuilder {
 public:
  NodeBuilder(Graph& graph, Node* before, const Node& origin) : graph_(graph), before_(before), origin_(origin) {}

  // aten.NAME on arguments of the schema's names.
  Value* call(const std::string& op, std::vector<NamedArgument> args, TensorMeta meta);
  // torch.ops.higher_order.out_dtype(op, dtype, args...): the operator on promoted tensors, its result cast to `dtype`.
  Value* out_dtype(const std::string& op, at::ScalarType dtype, const std::vector<Argument>& args, TensorMeta meta);

  Value* clamp(Value* x, Argument min, Argument max);
  Value* to(Value* x, at::ScalarType dtype);
  Value* round(Value* x);
  // op is "add", "sub", "mul" or "div".
  Value* binary(const char* op, Argument self, Argument other, TensorMeta meta);

  // What float arithmetic on two Python numbers gives: a scalar tensor.
  static TensorMeta scalar_meta() { return contiguous_meta(at::kFloat, {}); }
  static TensorMeta with_dtype(const Value* shape_of, at::ScalarType dtype);

 private:
  Value* insert(const std::string& op, std::vector<NamedArgument> args, TensorMeta meta);

  Graph& graph_;
  Node* before_;
  const Node& origin_;
};

}  // namespace torquant
