#include "torquant/lower/onednn_layer.h"

#include <ATen/ops/full.h>

#include <algorithm>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/moving_ops.h"
#include "torquant/pass/aliasing.h"
#include "torquant/pass/constant_values.h"

namespace torquant::onednn {
namespace {

// Layer::image_rank; nothing for another operator.
std::optional<size_t> image_rank_of(const OpId& op) {
  const OpId by_rank[] = {ops::kLinear, ops::kConv1d, ops::kConv2d, ops::kConv3d};
  const auto* found = std::find(std::begin(by_rank), std::end(by_rank), op);
  return found == std::end(by_rank) ? std::nullopt : std::optional<size_t>(found - std::begin(by_rank));
}

// A pad in front of a convolution that adds the same at both ends of the image, and zeros, is the convolution's own.
void take_padding(Layer& layer) {
  const Node* pad = layer.input.input->producer();
  if (pad == nullptr || pad->op() != kConstantPad) return;
  if (int_arg(*pad, "value") != layer.input.grid.zero_point) return;
  const std::vector<int64_t> sizes = ints_arg(*pad, "pad");  // from the last dimension on: start, end, …
  const size_t of_image = std::min(sizes.size(), 2 * layer.image_rank);
  if (std::any_of(sizes.begin() + of_image, sizes.end(), [](int64_t size) { return size != 0; })) return;
  std::vector<int64_t> added(layer.image_rank, 0);
  for (size_t i = 0; i + 1 < of_image; i += 2) {
    if (sizes[i] != sizes[i + 1] || sizes[i] < 0) return;
    added[layer.image_rank - 1 - i / 2] = sizes[i];
  }
  layer.input.input = pad->input("self");
  for (size_t i = 0; i < layer.image_rank; ++i) layer.padding[i] += added[i];
}

}  // namespace

std::optional<Weight> read_weight(const Program& program, const Value* weight, int64_t axis) {
  const Node* node = weight == nullptr ? nullptr : weight->producer();
  const Value* codes = node == nullptr ? nullptr : node->input("input");
  const at::Tensor* stored = codes == nullptr ? nullptr : program.tensor_of(codes);
  if (stored == nullptr || stored->scalar_type() != at::kChar) return std::nullopt;
  if (const std::optional<OnGrid> read = read_dequantize(node)) {
    const Weight read_weight{*stored, at::full({1}, read->grid.scale, at::kFloat)};
    return read->grid.zero_point == 0 ? std::optional(read_weight) : std::nullopt;
  }
  if (node->op() != ops::kDequantizePerChannel || int_arg(*node, "axis") != axis) return std::nullopt;
  const Value* zero_points = node->input("zero_points");
  if (zero_points != nullptr && !evaluate_constant(program, zero_points).eq(0).all().item<bool>()) return std::nullopt;
  return Weight{*stored, evaluate_constant(program, node->input("scales")).to(at::kFloat).contiguous()};
}

std::optional<Layer> read_layer(const Program& program, const std::unordered_set<const Value*>& constants, Node* node,
                                std::string& reason) {
  const std::optional<size_t> image_rank = image_rank_of(node->op());
  if (!image_rank) {
    reason = "LibTorch has no oneDNN operator on integers for it";
    return std::nullopt;
  }
  const Value* numbers = node->input("input");
  const std::optional<OnGrid> input = dequantized(numbers);
  if (!input || input->grid.dtype != at::kByte) {
    reason = is_written(numbers) ? "an in-place operator writes its input" : kInputNotQuantized;
    return std::nullopt;
  }
  Layer layer{.node = node, .input = *input, .weight = {}, .scales = {}, .bias = {}, .image_rank = *image_rank};
  if (!layer.is_linear()) {
    if (numbers->tensor().rank() != layer.image_rank + 2) {
      reason = "its input has no batch dimension";
      return std::nullopt;
    }
    layer.padding = ints_arg(*node, "padding", layer.image_rank);
    take_padding(layer);
  }
  const std::optional<Weight> weight = read_weight(program, node->input("weight"), 0);
  if (!weight) {
    reason = "its weight is not int8 with scales along axis 0 and zero points 0";
    return std::nullopt;
  }
  layer.weight = weight->codes;
  layer.scales = weight->scales;
  if (const Value* bias = node->input("bias")) {
    if (!constants.contains(bias)) {
      reason = "its bias is computed";
      return std::nullopt;
    }
    layer.bias = evaluate_constant(program, bias).to(at::kFloat).contiguous();
  }
  return layer;
}

}  // namespace torquant::onednn
