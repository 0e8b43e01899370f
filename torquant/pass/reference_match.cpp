#include "torquant/pass/reference_match.h"

#include <c10/core/ScalarType.h>

#include <algorithm>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant::reference {
namespace {

std::optional<PerTensor> per_tensor(Node* node) {
  const auto given = [&](const char* name) { return node->find_arg(name) != nullptr; };
  if (node->input("input") == nullptr || !is_int8(*node)) return std::nullopt;
  if (!given("scale") || !given("zero_point") || !given("quant_min") || !given("quant_max")) return std::nullopt;
  return PerTensor{node->input("input"), *node->find_arg("scale"), *node->find_arg("zero_point"),
                   int_arg(*node, "quant_min"), int_arg(*node, "quant_max")};
}

}  // namespace

bool is_int8(const Node& node) {
  const Argument* dtype = node.find_arg("dtype");
  const Argument* out_dtype = node.find_arg("out_dtype");
  const auto* type = dtype == nullptr ? nullptr : std::get_if<at::ScalarType>(dtype);
  return type != nullptr && *type == at::kChar && (out_dtype == nullptr || is_none(*out_dtype));
}

std::optional<PerTensor> match_quantize(Node* node) {
  const bool is_it = node->op() == ops::kQuantizePerTensor || node->op() == ops::kQuantizePerTensorDynamic;
  const Value* input = node->input("input");
  if (!is_it || input == nullptr || input->tensor().dtype != at::kFloat) return std::nullopt;
  return per_tensor(node);
}

std::optional<PerTensor> match_dequantize(Node* node) {
  const bool is_it = node->op() == ops::kDequantizePerTensor || node->op() == ops::kDequantizePerTensorDynamic;
  return is_it ? per_tensor(node) : std::nullopt;
}

std::optional<PerTensor> match_operand(const Node& node, const char* name) {
  Node* producer = sole_producer(node.input(name));
  return producer == nullptr ? std::nullopt : match_dequantize(producer);
}

Value* to_codes(NodeBuilder& build, Value* sum, const PerTensor& out, const Argument& least) {
  Value* shifted = build.binary("add", sum, out.zero_point, sum->tensor());
  return build.to(build.clamp(shifted, least, out.max), at::kChar);
}

}  // namespace torquant::reference
