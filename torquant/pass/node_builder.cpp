#include "torquant/pass/node_builder.h"

#include <fmt/format.h>

namespace torquant {

Value* NodeBuilder::insert(const std::string& op, std::vector<NamedArgument> args, TensorMeta meta) {
  const size_t first = op.find('.') + 1;
  const std::string name = graph_.unique_name(op.substr(first, op.find('.', first) - first));
  Node* node = graph_.insert_before(before_, OpId(op), name, std::move(args));
  for (const char* key : {"nn_module_stack", "stack_trace"}) {
    if (const std::string* text = origin_.find_metadata(key)) node->set_metadata(key, *text);
  }
  meta.requires_grad = false;
  return graph_.add_output(node, name, std::move(meta));
}

Value* NodeBuilder::call(const std::string& op, std::vector<NamedArgument> args, TensorMeta meta) {
  return insert("aten." + op, std::move(args), std::move(meta));
}

Value* NodeBuilder::out_dtype(const std::string& op, at::ScalarType dtype, const std::vector<Argument>& args,
                              TensorMeta meta) {
  // The archive gives the arguments of higher-order operators no names.
  std::vector<NamedArgument> named = {{"", OperatorArgument{"torch.ops.aten." + op}}, {"", dtype}};
  for (const Argument& arg : args) named.push_back({"", arg});
  meta.dtype = dtype;
  Value* result = insert("higher_order.out_dtype", std::move(named), std::move(meta));
  result->producer()->single_tensor_return = true;
  return result;
}

Value* NodeBuilder::clamp(Value* x, Argument min, Argument max) {
  return call("clamp.default", {{"self", x}, {"min", std::move(min)}, {"max", std::move(max)}}, x->tensor());
}

Value* NodeBuilder::to(Value* x, at::ScalarType dtype) {
  return call("to.dtype", {{"self", x}, {"dtype", dtype}}, with_dtype(x, dtype));
}

Value* NodeBuilder::round(Value* x) { return call("round.default", {{"self", x}}, x->tensor()); }

Value* NodeBuilder::binary(const char* op, Argument self, Argument other, TensorMeta meta) {
  return call(fmt::format("{}.Tensor", op), {{"self", std::move(self)}, {"other", std::move(other)}}, std::move(meta));
}

TensorMeta NodeBuilder::with_dtype(const Value* shape_of, at::ScalarType dtype) {
  TensorMeta meta = shape_of->tensor();
  meta.dtype = dtype;
  return meta;
}

}  // namespace torquant
