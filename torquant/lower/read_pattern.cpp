#include "torquant/lower/read_pattern.h"

#include <ATen/core/Tensor.h>

#include <unordered_set>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"

namespace torquant {

std::optional<double> constant_number(const Program& program, const Argument& argument) {
  if (const auto* real = std::get_if<double>(&argument)) return *real;
  if (const auto* integer = std::get_if<int64_t>(&argument)) return static_cast<double>(*integer);
  const at::Tensor* constant = value_of(argument) == nullptr ? nullptr : program.tensor_of(value_of(argument));
  if (constant == nullptr || constant->dim() != 0) return std::nullopt;
  return constant->item().toDouble();
}

bool changes_nothing(const Node& node) {
  static const OpId kDropout{"aten.dropout.default"};
  static const std::unordered_set<OpId> kOps = {OpId{"aten.contiguous.default"}, OpId{"aten.clone.default"},
                                                OpId{"aten.alias.default"},      OpId{"aten.to.device"},
                                                OpId{"aten.to.dtype"},           OpId{"aten.to.dtype_layout"},
                                                OpId{"aten.to.other"},           OpId{"aten._to_copy.default"}};
  if (node.op() == kDropout) return !bool_arg(node, "train");
  const Value* input = kOps.contains(node.op()) ? first_input(node) : nullptr;
  return input != nullptr && input->tensor().dtype == node.output()->tensor().dtype;
}

Node* maker_of(const Value* value) {
  Node* node = sole_producer(value);
  while (node != nullptr && changes_nothing(*node)) node = sole_producer(first_input(*node));
  return node;
}

Node* maker_of(const Value* value, const OpId& op) {
  Node* node = maker_of(value);
  return node != nullptr && node->op() == op ? node : nullptr;
}

Node* reader_of(const Value* value) {
  Node* node = sole_reader(value);
  while (node != nullptr && changes_nothing(*node)) node = sole_reader(node->output());
  return node;
}

}  // namespace torquant
