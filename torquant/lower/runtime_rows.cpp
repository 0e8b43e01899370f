#include "torquant/lower/runtime_rows.h"

#include <limits>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/runtime_dynamic.h"

namespace torquant::runtime_lowering {
namespace {

const OpId kLayerNorm{"aten.layer_norm.default"};
const OpId kRmsNorm{"aten.rms_norm.default"};

bool is_norm(const Node& node) { return node.op() == kLayerNorm || node.op() == kRmsNorm; }

bool is_one(const Argument& number) {
  const auto* integer = std::get_if<int64_t>(&number);
  const auto* real = std::get_if<double>(&number);
  return (integer != nullptr && *integer == 1) || (real != nullptr && *real == 1);
}

std::vector<float> floats_of(const at::Tensor& tensor) {
  const at::Tensor floats = tensor.to(at::kFloat).contiguous();
  const auto* begin = floats.const_data_ptr<float>();
  return {begin, begin + floats.numel()};
}

}  // namespace

bool RowEmitter::emit(const Node& node) {
  if (node.op() == ops::kEmbedding) return emit_embedding(node);
  if (node.op() == kDynamicLinear) return emit_dynamic_linear(node);
  return is_norm(node) ? emit_norm(node) : keep_sum(node);
}

bool RowEmitter::emit_embedding(const Node& node) {
  const std::optional<ValueIndex> ids = builder_.find(node.input("indices"));
  const std::optional<at::Tensor> table = builder_.constant(node.input("weight"));
  if (!ids || !builder_.is_integers(*ids) || !table || table->dim() != 2) return false;
  const std::vector<float>& kept = builder_.made().numbers.emplace_back(floats_of(*table));
  builder_.add_node(node, format::Embedding{*ids, builder_.add_floats(*node.output()), kept});
  return true;
}

std::optional<std::vector<float>> RowEmitter::weights(const Node& node, const char* name, int64_t columns) const {
  const Value* value = node.input(name);
  if (value == nullptr) return std::vector<float>();
  const std::optional<at::Tensor> numbers = builder_.constant(value);
  return numbers && numbers->numel() == columns ? std::optional(floats_of(*numbers)) : std::nullopt;
}

bool RowEmitter::emit_norm(const Node& node) {
  const Value* input = first_input(node);
  const auto sum = sums_.find(input);
  const std::optional<ValueIndex> x = sum != sums_.end()         ? std::optional(sum->second.a)
                                      : builder_.is_float(input) ? builder_.find(input)
                                                                 : std::nullopt;
  if (!x) return false;
  const int64_t columns = builder_.value(*x).sizes.back();
  const std::optional<std::vector<float>> weight = weights(node, "weight", columns);
  const bool is_rms = node.op() == kRmsNorm;
  const std::optional<std::vector<float>> bias = is_rms ? std::vector<float>() : weights(node, "bias", columns);
  if (ints_arg(node, "normalized_shape") != std::vector<int64_t>{columns} || !weight || !bias) return false;
  const Argument epsilon = arg_or_default(node, "eps");  // RMS norm's default is the dtype's
  format::Normalize norm{
      .input = *x, .output = 0, .residual = -1, .weight = {}, .bias = {}, .epsilon = 0, .rms = is_rms};
  if (sum != sums_.end()) norm.residual = sum->second.b;
  norm.weight = builder_.made().numbers.emplace_back(*weight);
  norm.bias = builder_.made().numbers.emplace_back(*bias);
  norm.epsilon = is_none(epsilon) ? std::numeric_limits<float>::epsilon() : static_cast<float>(double_arg(node, "eps"));
  norm.output = builder_.add_floats(*node.output());
  builder_.add_node(node, norm);
  return true;
}

bool RowEmitter::keep_sum(const Node& node) {
  if (node.op() != ops::kAdd || !is_one(arg_or_default(node, "alpha"))) return false;
  const Node* reader = sole_reader(node.output());
  const Value *a = node.input("self"), *b = node.input("other");
  if (reader == nullptr || !is_norm(*reader) || !builder_.is_float(a) || !builder_.is_float(b)) return false;
  if (a->tensor().sizes != node.output()->tensor().sizes || b->tensor().sizes != node.output()->tensor().sizes)
    return false;
  sums_.emplace(node.output(), Sum{*builder_.find(a), *builder_.find(b)});
  return true;
}

bool RowEmitter::emit_dynamic_linear(const Node& node) {
  const Value* input = node.input("input");
  const std::optional<ValueIndex> x = builder_.is_float(input) ? builder_.find(input) : std::nullopt;
  if (!x) return false;
  const Facts::Dynamic& fused = facts_.dynamic.at(&node);
  format::DynamicLinear linear = fused.packed;
  linear.input = *x;
  linear.output = builder_.add_floats(*node.output());
  builder_.rename_last(fused.name);
  builder_.add_node(node, linear);
  return true;
}

}  // namespace torquant::runtime_lowering
