#include "torquant/pass/reference_patterns.h"

#include <c10/core/ScalarType.h>

#include <optional>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/reference_match.h"

namespace torquant::reference {
namespace {

const OpId kConvolution{"aten.convolution.default"};

// x - zero point in int16, where the difference of two int8 values fits.
Value* centred(NodeBuilder& build, const PerTensor& x, Value* codes) {
  Value* wide = build.to(codes, at::kShort);
  Value* zero_point = value_of(x.zero_point);
  const at::ScalarType dtype = zero_point == nullptr ? at::kShort : zero_point->tensor().dtype;
  return build.binary("sub", wide, x.zero_point, NodeBuilder::with_dtype(wide, dtype));
}

// What sx * sw has: a scalar, or the shape of the value that one of them is.
TensorMeta product_meta(const PerTensor& x) {
  const Value* scale = value_of(x.scale);
  return scale == nullptr ? NodeBuilder::scalar_meta() : scale->tensor();
}

// trunc(bias / (sx * sw)), in int32.
Value* integer_bias(NodeBuilder& build, const PerTensor& x, const PerTensor& w, Value* bias) {
  Value* scale = build.binary("mul", x.scale, w.scale, product_meta(x));
  return build.out_dtype("div.Tensor", at::kInt, {bias, scale}, bias->tensor());
}

struct Layer {
  Node* node;
  PerTensor x;
  PerTensor w;
  Value* bias;
};

std::optional<Layer> match_layer(Node* node) {
  if (node == nullptr || (node->op() != ops::kLinear && node->op() != kConvolution)) return std::nullopt;
  if (node->op() == kConvolution) {
    const Value* weight = node->input("weight");
    if (bool_arg(*node, "transposed") || weight == nullptr || !weight->is_tensor() || weight->tensor().rank() != 4)
      return std::nullopt;
  }
  const auto x = match_operand(*node, "input");
  const auto w = match_operand(*node, "weight");
  if (!x || !w || !w->is_static()) return std::nullopt;
  return Layer{node, *x, *w, node->input("bias")};
}

// The int32 accumulator with its bias.
Value* accumulate(NodeBuilder& build, const Layer& layer, Value* x, Value* w) {
  std::vector<Argument> args = {x, w, std::monostate{}};  // the bias is added as integers
  std::string op = "linear.default";
  if (layer.node->op() == kConvolution) {
    op = "convolution.default";
    for (const char* name : {"stride", "padding", "dilation", "transposed", "output_padding", "groups"}) {
      args.push_back(*layer.node->find_arg(name));
    }
  }
  const TensorMeta meta = NodeBuilder::with_dtype(layer.node->output(), at::kInt);
  Value* sum = build.out_dtype(op, at::kInt, args, meta);
  if (layer.bias == nullptr) return sum;
  Value* bias = integer_bias(build, layer.x, layer.w, layer.bias);
  for (size_t axis = 2; axis < meta.rank() && layer.node->op() == kConvolution; ++axis) {
    TensorMeta wider = bias->tensor();  // [channels] → [channels, 1, 1]
    wider.sizes.emplace_back(int64_t{1});
    wider.strides.emplace_back(int64_t{1});
    bias = build.call("unsqueeze.default", {{"self", bias}, {"dim", int64_t{-1}}}, std::move(wider));
  }
  return build.binary("add", sum, bias, meta);
}

}  // namespace

bool rewrite_static_layer(Program& program, Node* node) {
  const auto out = match_quantize(node);
  if (!out || !out->is_static()) return false;
  const auto layer = match_layer(sole_producer(out->input));
  if (!layer || !layer->x.is_static()) return false;
  NodeBuilder build(program.graph(), node, *layer->node);
  Value* x = build.clamp(layer->x.input, layer->x.min, layer->x.max);
  Value* w = build.clamp(layer->w.input, layer->w.min, layer->w.max);
  Value* x_centred = centred(build, layer->x, x);
  Value* w_centred = centred(build, layer->w, w);
  Value* sum = accumulate(build, *layer, x_centred, w_centred);
  Value* product = build.binary("mul", layer->x.scale, layer->w.scale, NodeBuilder::scalar_meta());
  Value* multiplier = build.binary("div", product, out->scale, NodeBuilder::scalar_meta());
  Value* scaled = build.out_dtype("mul.Tensor", at::kInt, {sum, multiplier}, sum->tensor());
  program.graph().replace_all_uses(node->output(), to_codes(build, scaled, *out, out->min));
  return true;
}

bool rewrite_dynamic_linear(Program& program, Node* node) {
  if (node->op() != ops::kLinear) return false;
  const auto layer = match_layer(node);
  if (!layer || layer->x.is_static()) return false;
  Node* quantize_x = sole_producer(layer->x.input);
  const auto in = quantize_x == nullptr ? std::nullopt : match_quantize(quantize_x);
  const Node* chooser = value_of(layer->x.scale)->producer();
  if (!in || chooser == nullptr || chooser->op() != ops::kChooseQParams || chooser->input("input") != in->input ||
      value_of(in->scale) != value_of(layer->x.scale) || value_of(in->zero_point) != value_of(layer->x.zero_point)) {
    return false;
  }
  NodeBuilder build(program.graph(), node, *node);
  const at::ScalarType scale_type = value_of(in->scale)->tensor().dtype;
  const at::ScalarType zero_point_type = value_of(in->zero_point)->tensor().dtype;
  Value* ratio = build.binary("div", in->input, in->scale, NodeBuilder::with_dtype(in->input, scale_type));
  Value* rounded = build.to(build.round(ratio), at::kInt);
  Value* shifted = build.binary("add", rounded, in->zero_point, NodeBuilder::with_dtype(rounded, zero_point_type));
  Value* x = build.to(build.clamp(shifted, in->min, in->max), at::kChar);
  Value* w = build.clamp(layer->w.input, layer->w.min, layer->w.max);
  Value* x_centred = centred(build, layer->x, x);
  Value* w_centred = centred(build, layer->w, w);
  Value* sum = accumulate(build, *layer, x_centred, w_centred);
  Value* product = build.binary("mul", layer->x.scale, layer->w.scale, product_meta(layer->x));
  Value* real = build.binary("mul", sum, product, NodeBuilder::with_dtype(sum, scale_type));
  // The scale is a double, and with it the product; what follows was exported for the layer's own type.
  program.graph().replace_all_uses(node->output(), build.to(real, node->output()->tensor().dtype));
  return true;
}

}  // namespace torquant::reference
