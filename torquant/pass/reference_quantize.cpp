#include "torquant/pass/reference_patterns.h"

#include <c10/core/ScalarType.h>

#include <utility>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/reference_match.h"

namespace torquant::reference {
namespace {

bool is_per_channel_int8(const Node& node, const OpId& op) {
  return node.op() == op && is_int8(node) && node.input("input") != nullptr && node.input("scales") != nullptr &&
         node.input("zero_points") != nullptr;
}

// The channels go last, where scales and zero points [channels] broadcast; the second time, back.
Value* swap_channels(NodeBuilder& build, const Node& node, Value* value) {
  TensorMeta meta = value->tensor();
  const int64_t axis = int_arg(node, "axis");
  const auto index = static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(meta.rank()) : axis);
  std::swap(meta.sizes.at(index), meta.sizes.back());
  std::swap(meta.strides.at(index), meta.strides.back());
  return build.call("transpose.int", {{"self", value}, {"dim0", axis}, {"dim1", int64_t{-1}}}, std::move(meta));
}

}  // namespace

bool rewrite_quantize(Program& program, Node* node) {
  NodeBuilder build(program.graph(), node, *node);
  if (const auto match = match_quantize(node)) {
    const Value* scale = value_of(match->scale);
    const Value* zero_point = value_of(match->zero_point);
    const auto meta = [&](const Value* of, at::ScalarType otherwise) {
      return NodeBuilder::with_dtype(match->input, of == nullptr ? otherwise : of->tensor().dtype);
    };
    Value* ratio = build.binary("div", match->input, match->scale, meta(scale, at::kFloat));
    Value* rounded = build.to(build.round(ratio), at::kInt);
    Value* shifted = build.binary("add", rounded, match->zero_point, meta(zero_point, at::kInt));
    program.graph().replace_all_uses(node->output(), build.to(build.clamp(shifted, match->min, match->max), at::kChar));
    return true;
  }
  Value* x = node->input("input");
  if (!is_per_channel_int8(*node, ops::kQuantizePerChannel) || x->tensor().dtype != at::kFloat) return false;
  Value* last = swap_channels(build, *node, x);
  Value* ratio = build.binary("div", last, node->input("scales"), last->tensor());
  Value* rounded = build.to(build.round(ratio), at::kInt);
  Value* shifted = build.binary("add", rounded, node->input("zero_points"),
                                NodeBuilder::with_dtype(rounded, node->input("zero_points")->tensor().dtype));
  Value* codes =
      swap_channels(build, *node, build.clamp(shifted, int_arg(*node, "quant_min"), int_arg(*node, "quant_max")));
  program.graph().replace_all_uses(node->output(), build.to(codes, at::kChar));
  return true;
}

bool rewrite_dequantize(Program& program, Node* node) {
  NodeBuilder build(program.graph(), node, *node);
  if (const auto match = match_dequantize(node)) {
    Value* real = build.to(build.clamp(match->input, match->min, match->max), at::kFloat);
    Value* centre = build.binary("sub", real, match->zero_point, real->tensor());
    Value* scaled = build.binary("mul", centre, match->scale, real->tensor());
    program.graph().replace_all_uses(node->output(), build.to(scaled, at::kFloat));
    return true;
  }
  if (!is_per_channel_int8(*node, ops::kDequantizePerChannel)) return false;
  Value* codes = build.clamp(node->input("input"), int_arg(*node, "quant_min"), int_arg(*node, "quant_max"));
  Value* wide = build.to(swap_channels(build, *node, codes), at::kInt);
  Value* centre = build.binary("sub", wide, node->input("zero_points"),
                               NodeBuilder::with_dtype(wide, node->input("zero_points")->tensor().dtype));
  Value* real = build.to(centre, at::kFloat);
  Value* scaled = build.binary("mul", real, node->input("scales"), real->tensor());
  program.graph().replace_all_uses(node->output(), swap_channels(build, *node, scaled));
  return true;
}

}  // namespace torquant::reference
