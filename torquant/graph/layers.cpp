#include "torquant/graph/layers.h"

#include <algorithm>

#include "torquant/graph/ops.h"

namespace torquant {
namespace {

// Elements at the example sizes; 0 when a size has no hint.
int64_t elements(const Value* value) {
  if (value == nullptr || !value->is_tensor()) return 0;
  int64_t count = 1;
  for (const Dim& size : value->tensor().sizes) count *= hint_of(size).value_or(0);
  return count;
}

int64_t size_at(const Value* value, int64_t axis) {
  const TensorMeta& meta = value->tensor();
  const auto index = static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(meta.rank()) : axis);
  return index < meta.rank() ? hint_of(meta.sizes[index]).value_or(0) : 0;
}

}  // namespace

bool is_layer(const Node& node) {
  const OpId& op = node.op();
  return op == ops::kLinear || ops::is_conv(op) || ops::is_conv_transpose(op) || op == ops::kMatmul ||
         op == ops::kBmm || op == ops::kEmbedding || op == ops::kScaledDotProductAttention ||
         op.name() == "aten.lstm.input" || op.name() == "aten.gru.input";
}

int64_t multiply_accumulates(const Node& node) {
  const Value* output = node.output();
  const Value* weight = node.input("weight");
  if (output == nullptr || !output->is_tensor()) return 0;
  if (node.op() == ops::kLinear) return elements(output) * size_at(weight, -1);
  if (ops::is_conv(node.op())) {
    const int64_t channels = std::max<int64_t>(size_at(weight, 0), 1);
    return elements(output) * (elements(weight) / channels);
  }
  if (ops::is_conv_transpose(node.op())) {
    const int64_t channels = std::max<int64_t>(size_at(weight, 0), 1);
    return elements(node.input("input")) * (elements(weight) / channels);
  }
  if (node.op() == ops::kMatmul || node.op() == ops::kBmm) {
    const Value* self = node.input("self");
    return self == nullptr ? 0 : elements(output) * size_at(self, -1);
  }
  return 0;
}

}  // namespace torquant
