#include "torquant/lower/onednn_layer.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/moving_ops.h"
#include "torquant/pass/constant_values.h"

namespace torquant::onednn {
namespace {

bool is_linear(const Node& node) { return node.op() == ops::kLinear; }

// The int8 codes and scales behind a weight; false where it is something else.
bool read_weight(const Program& program, const Value* weight, Layer& layer) {
  const Node* node = weight == nullptr ? nullptr : weight->producer();
  if (node == nullptr) return false;
  const Value* codes = node->input("input");
  const at::Tensor* stored = codes == nullptr ? nullptr : program.tensor_of(codes);
  if (stored == nullptr || stored->scalar_type() != at::kChar) return false;
  layer.weight = *stored;
  if (const std::optional<OnGrid> read = read_dequantize(node)) {
    layer.scales = at::full({1}, read->grid.scale, at::kFloat);
    return read->grid.zero_point == 0;
  }
  if (node->op() != ops::kDequantizePerChannel || int_arg(*node, "axis") != 0) return false;
  layer.scales = evaluate_constant(program, node->input("scales")).to(at::kFloat).contiguous();
  const Value* zero_points = node->input("zero_points");
  return zero_points == nullptr || evaluate_constant(program, zero_points).eq(0).all().item<bool>();
}

// A pad in front of a convolution that adds the same at both ends of the image, and zeros, is the convolution's own.
void take_padding(Layer& layer) {
  const Node* pad = layer.input.input->producer();
  if (pad == nullptr || pad->op() != kConstantPad) return;
  if (int_arg(*pad, "value") != layer.input.grid.zero_point) return;
  const std::vector<int64_t> sizes = ints_arg(*pad, "pad");  // from the last dimension on: start, end, …
  if (sizes.size() > 4 && std::any_of(sizes.begin() + 4, sizes.end(), [](int64_t size) { return size != 0; })) return;
  std::vector<int64_t> added = {0, 0};
  for (size_t i = 0; i + 1 < std::min<size_t>(sizes.size(), 4); i += 2) {
    if (sizes[i] != sizes[i + 1] || sizes[i] < 0) return;
    added[1 - i / 2] = sizes[i];
  }
  layer.input.input = pad->input("self");
  for (size_t i = 0; i < 2; ++i) layer.padding[i] += added[i];
}

// oneDNN's name of an activation, where its convolution (or linear layer) can fuse it.
bool read_activation(const Node& node, bool linear, Epilogue& epilogue) {
  const std::string op = node.op().name();
  const auto is = [&](const char* name) { return op == fmt::format("aten.{}.default", name); };
  const auto set = [&](const char* name, std::vector<double> scalars = {}, std::string algorithm = "") {
    epilogue.activation = name;
    epilogue.scalars = std::move(scalars);
    epilogue.algorithm = std::move(algorithm);
    return true;
  };
  const auto number = [&](const char* name) { return double_arg(node, name); };
  if (is("relu") || is("relu_")) return set("relu");
  if (is("relu6")) return set("hardtanh", {0, 6});
  if (is("hardtanh") || is("hardtanh_")) return set("hardtanh", {number("min_val"), number("max_val")});
  if (is("hardswish") || is("hardswish_")) return set("hardswish");
  if (is("silu") || is("silu_")) return set("swish");
  if (!linear) return false;
  if (is("leaky_relu") || is("leaky_relu_")) return set("leaky_relu", {number("negative_slope")});
  if (is("tanh") || is("tanh_")) return set("tanh");
  if (is("gelu")) return set("gelu", {}, std::get<std::string>(arg_or_default(node, "approximate")));
  return false;
}

// Codes in a part of uint8 (reduce_range, or int8 without -128): the store clamps to uint8 alone, so the activation has
// to clamp to the rest. False where the activation cannot.
bool narrow(const Grid& grid, Epilogue& epilogue) {
  if (grid.min == 0 && grid.max == 255) return true;
  const auto number = [&](int64_t code) { return static_cast<double>(code - grid.zero_point) * grid.scale; };
  double least = number(grid.min);
  double most = number(grid.max);
  if (epilogue.activation == "hardtanh") {
    least = std::max(least, epilogue.scalars[0]);
    most = std::min(most, epilogue.scalars[1]);
  } else if (epilogue.activation == "relu") {
    least = std::max(least, 0.0);
  } else if (epilogue.activation != "none") {
    return false;
  }
  epilogue.activation = "hardtanh";
  epilogue.scalars = {least, most};
  return true;
}

bool same_sizes(const Value* a, const Value* b) { return a->tensor().sizes == b->tensor().sizes; }

// x + residual, where the residual is on uint8 codes; oneDNN adds it into the codes' own memory.
std::optional<OnGrid> read_sum(const Node& node, const Value* sums) {
  if (node.op() != ops::kAdd && node.op() != ops::kAddInPlace) return std::nullopt;
  const Value* self = node.input("self");
  const Value* other = node.input("other");
  if (self == nullptr || other == nullptr || self == other || double_arg(node, "alpha") != 1) return std::nullopt;
  const Value* residual = self == sums ? other : self;
  std::optional<OnGrid> read = dequantized(residual);
  if (!read || read->grid.dtype != at::kByte || !same_sizes(sums, residual)) return std::nullopt;
  return read;
}

}  // namespace

std::string Epilogue::describe() const {
  std::string text = fmt::format("uint8 → {}", output ? "uint8" : "float32");
  if (other) text += ", sum";
  if (activation != "none") text += ", " + activation;
  return text;
}

std::optional<Layer> read_layer(const Program& program, const std::unordered_set<const Value*>& constants, Node* node,
                                std::string& reason) {
  const bool linear = is_linear(*node);
  if (!linear && node->op() != ops::kConv2d) {
    reason = "LibTorch has no oneDNN operator on integers for it";
    return std::nullopt;
  }
  Layer layer{.node = node, .input = {}, .weight = {}, .scales = {}, .bias = {}, .padding = {}};
  const std::optional<OnGrid> input = dequantized(node->input("input"));
  if (!input || input->grid.dtype != at::kByte) {
    reason = "its input is not quantized to 8 bits with one scale";
    return std::nullopt;
  }
  layer.input = *input;
  if (!linear) {
    layer.padding = ints_arg(*node, "padding", 2);
    take_padding(layer);
  }
  if (!read_weight(program, node->input("weight"), layer)) {
    reason = "its weight is not int8 with scales along axis 0 and zero points 0";
    return std::nullopt;
  }
  if (const Value* bias = node->input("bias")) {
    if (!constants.contains(bias)) {
      reason = "its bias is computed";
      return std::nullopt;
    }
    layer.bias = evaluate_constant(program, bias).to(at::kFloat).contiguous();
  }
  return layer;
}

Epilogue read_epilogue(const Layer& layer) {
  const bool linear = is_linear(*layer.node);
  Epilogue whole;    // up to the last node that can be fused for good
  Epilogue partial;  // with nodes that are fused only if a quantize node follows
  const Value* value = layer.node->output();
  while (Node* user = sole_reader(value)) {
    if (const std::optional<OnGrid> quantize = read_quantize(user)) {
      Epilogue requantized = partial;
      if (quantize->grid.dtype == at::kByte && narrow(quantize->grid, requantized)) {
        requantized.output = quantize->grid;
        requantized.nodes.push_back(user);
        return requantized;
      }
      break;
    }
    const bool plain = partial.activation == "none";
    if (std::optional<OnGrid> other = linear || !plain || partial.other ? std::nullopt : read_sum(*user, value)) {
      partial.other = other;
      partial.nodes.push_back(user);
    } else if (plain && read_activation(*user, linear, partial) && (!partial.other || partial.activation == "relu")) {
      partial.nodes.push_back(user);
      if (!partial.other) whole = partial;
    } else {
      break;
    }
    value = user->output();
  }
  return whole;
}

}  // namespace torquant::onednn
