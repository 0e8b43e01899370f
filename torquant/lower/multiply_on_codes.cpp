#include "torquant/lower/multiply_on_codes.h"

#include <fmt/format.h>

#include <vector>

#include "torquant/graph/graph.h"
#include "torquant/graph/neighbours.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/grid.h"
#include "torquant/lower/matmul_codes.h"

namespace torquant {
namespace {

const OpId kMatmulCodesRequantized{"torquant.matmul_codes.requantized"};

// Why `numbers` cannot be an operand; empty where it can.
std::string refusal(const Value* numbers) {
  const std::optional<OnGrid> read = dequantized(numbers);
  if (!read || read->grid.dtype != at::kByte) return "its operands are not both quantized to 8 bits with one scale";
  if (read->grid.zero_point < 0 || read->grid.zero_point > 255) {
    return fmt::format("a zero point of {} is no code", read->grid.zero_point);
  }
  return numbers->tensor().rank() < 2 ? "one of its operands is a vector" : "";
}

}  // namespace

std::optional<std::string> multiply_on_codes(Node* product, std::string& reason) {
  const Value* left = product->input("self");
  const Value* right = product->input(product->op() == ops::kBmm ? "mat2" : "other");
  for (const Value* operand : {left, right}) {
    reason = refusal(operand);
    if (!reason.empty()) return std::nullopt;
  }
  const int64_t inner = hint_of(left->tensor().sizes.back()).value_or(0);
  if (inner > kLargestInnerSize) {
    reason = fmt::format("sums of {} products of codes do not fit into 32 bits", inner);
    return std::nullopt;
  }
  const OnGrid a = *dequantized(left), b = *dequantized(right);
  std::vector<NamedArgument> args = {{"a", a.input}, {"a_scale", a.grid.scale}, {"a_zero_point", a.grid.zero_point},
                                     {"b", b.input}, {"b_scale", b.grid.scale}, {"b_zero_point", b.grid.zero_point}};
  Node* reader = sole_reader(product->output());
  const std::optional<OnGrid> quantize = read_quantize(reader);
  if (!quantize || quantize->grid.dtype != at::kByte) {
    product->set_args(std::move(args));
    product->set_op(kMatmulCodes);
    return "uint8 × uint8 → float32";
  }
  args.push_back({"output_scale", quantize->grid.scale});
  args.push_back({"output_zero_point", quantize->grid.zero_point});
  args.push_back({"quant_min", quantize->grid.min});
  args.push_back({"quant_max", quantize->grid.max});
  product->set_args(std::move(args));
  product->set_op(kMatmulCodesRequantized);
  product->output()->tensor().dtype = at::kByte;
  product->graph().replace_all_uses(reader->output(), product->output());
  product->graph().erase(reader);
  return "uint8 × uint8 → uint8";
}

}  // namespace torquant
