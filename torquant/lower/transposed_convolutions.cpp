#include "torquant/lower/transposed_convolutions.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/graph/shape_rules.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/lower/grid.h"
#include "torquant/lower/moving_ops.h"
#include "torquant/lower/onednn_layer.h"
#include "torquant/pass/constant_values.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

constexpr double kMostWeights = 1 << 28;

// One dimension of the image. Tap k adds input pixel i to output pixel i * stride + k * dilation - padding; so output
// pixel q * stride + phase sees, through the taps of its phase, input pixels q + offset.
struct Axis {
  int64_t stride, output;  // pixels
  int64_t front, behind;   // zeros around the image
  int64_t taps;            // of each phase
  Ints place;              // of each tap of the kernel in [stride, taps]
};

Axis make_axis(int64_t input, int64_t output, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  Ints phases, offsets;
  for (int64_t k = 0; k < kernel; ++k) {
    const int64_t begin = k * dilation - padding;
    const int64_t phase = ((begin % stride) + stride) % stride;
    phases.push_back(phase);
    offsets.push_back((phase - begin) / stride);  // exact
  }
  const int64_t positions = (output + stride - 1) / stride;
  // All windows begin in the image, or in front of it: also those of output padding, which see nothing of it.
  const int64_t first = std::min({int64_t{0}, input - positions, *std::min_element(offsets.begin(), offsets.end())});
  const int64_t last = *std::max_element(offsets.begin(), offsets.end());
  Axis axis{.stride = stride,
            .output = output,
            .front = -first,
            .behind = std::max<int64_t>(0, positions + last - input),
            .taps = last - first + 1,
            .place = {}};
  for (size_t k = 0; k < phases.size(); ++k) axis.place.push_back(phases[k] * axis.taps + offsets[k] - first);
  return axis;
}

struct Layer {
  Node* node;
  OnGrid input;
  onednn::Weight weight;  // codes [in, out / groups, ...]
  at::Tensor bias;        // float32 [out]; undefined where there is none
  int64_t groups;
  std::vector<Axis> axes;
  Node* quantize;  // none: floats are what it gives
  Grid grid;       // of the quantize node
};

std::optional<std::vector<Axis>> read_axes(const Node& node, const at::Tensor& weight, size_t rank) {
  const std::optional<std::vector<ValueMeta>> made = infer(node);  // refuses strides of 0
  if (!made) return std::nullopt;
  const std::vector<Dim>& from = node.input("input")->tensor().sizes;
  const std::vector<Dim>& to = std::get<TensorMeta>(made->at(0)).sizes;
  const Ints stride = ints_arg(node, "stride", rank), padding = ints_arg(node, "padding", rank),
             dilation = ints_arg(node, "dilation", rank);
  std::vector<Axis> axes;
  for (size_t i = 0; i < rank; ++i) {
    const auto *input = std::get_if<int64_t>(&from[2 + i]), *output = std::get_if<int64_t>(&to[2 + i]);
    if (input == nullptr || output == nullptr) return std::nullopt;
    const int64_t kernel = weight.size(static_cast<int64_t>(2 + i));
    axes.push_back(make_axis(*input, *output, kernel, stride[i], padding[i], dilation[i]));
  }
  return axes;
}

std::optional<Layer> read(const Program& program, const std::unordered_set<const Value*>& constants, Node* node,
                          std::string& reason) {
  const auto refuse = [&](std::string why) {
    reason = std::move(why);
    return std::nullopt;
  };
  const size_t rank = node->op() == ops::kConvTranspose1d ? 1 : node->op() == ops::kConvTranspose2d ? 2 : 3;
  const std::optional<OnGrid> input = dequantized(node->input("input"));
  if (!input || input->grid.dtype != at::kByte) return refuse(onednn::kInputNotQuantized);
  if (input->input->tensor().rank() != rank + 2) return refuse("its input has no batch dimension");
  const std::optional<onednn::Weight> weight = onednn::read_weight(program, node->input("weight"), 1);
  if (!weight) return refuse("its weight is not int8 with scales along axis 1 and zero points 0");
  const Value* bias = node->input("bias");
  if (bias != nullptr && !constants.contains(bias)) return refuse("its bias is computed");
  Node* last = sole_reader(node->output());
  if (last != nullptr && read_limits(*last)) last = sole_reader(last->output());
  const std::optional<OnGrid> output = read_quantize(last);
  if (output && output->grid.dtype != at::kByte) return refuse("its output is not quantized to 8 bits");
  std::optional<std::vector<Axis>> axes = read_axes(*node, weight->codes, rank);
  if (!axes) return refuse("the size of its image is not fixed");
  double weights = static_cast<double>(weight->codes.size(0)) * static_cast<double>(weight->codes.size(1));
  for (const Axis& axis : *axes) weights *= static_cast<double>(axis.stride) * static_cast<double>(axis.taps);
  if (weights > kMostWeights) return refuse(fmt::format("as an ordinary convolution it has {:.0f} weights", weights));
  return Layer{.node = node,
               .input = *input,
               .weight = *weight,
               .bias = bias == nullptr ? at::Tensor() : evaluate_constant(program, bias).to(at::kFloat),
               .groups = int_arg(*node, "groups"),
               .axes = *std::move(axes),
               .quantize = output ? last : nullptr,
               .grid = output ? output->grid : Grid{}};
}

class Rewriter {
 public:
  Rewriter(Program& program, const Layer& layer) : program_(program), graph_(program.graph()), layer_(layer) {}

  void run() {
    Value* codes = layer_.input.input;
    if (const Ints pad = padding(); std::any_of(pad.begin(), pad.end(), [](int64_t size) { return size != 0; })) {
      codes = add(kConstantPad, {{"self", codes}, {"pad", pad}, {"value", layer_.input.grid.zero_point}});
    }
    std::vector<NamedArgument> args = {{"input", insert_dequantize(layer_.node, codes, layer_.input.grid)},
                                       {"weight", weight()}};
    if (layer_.bias.defined()) args.push_back({"bias", state("bias", of_phases(layer_.bias))});
    args.push_back({"groups", layer_.groups});
    const OpId by_rank[] = {ops::kConv1d, ops::kConv2d, ops::kConv3d};
    Value* numbers = add(by_rank[layer_.axes.size() - 1], std::move(args));
    if (layer_.quantize == nullptr) return give(numbers, layer_.node);
    Node* clamp = layer_.quantize->input("input")->producer();
    if (clamp == layer_.node) clamp = nullptr;
    if (clamp != nullptr) {
      std::vector<NamedArgument> limits = clamp->args();
      limits[0] = {"self", numbers};
      numbers = add(clamp->op(), std::move(limits));
    }
    if (moves(numbers->tensor()).empty()) {
      layer_.quantize->replace_input(layer_.quantize->input("input"), numbers);
    } else {
      const std::string name = layer_.quantize->output()->name() + "_phases";
      give(insert_quantize(layer_.quantize, numbers, layer_.grid, name), layer_.quantize);
    }
    if (clamp != nullptr) graph_.erase(clamp);
    graph_.erase(layer_.node);
  }

 private:
  Value* add(const OpId& op, std::vector<NamedArgument> args) {
    Node* node =
        graph_.insert_before(layer_.node, op, graph_.unique_name(layer_.node->name() + "_phases"), std::move(args));
    for (const auto& [key, text] : layer_.node->metadata()) node->set_metadata(key, text);
    return graph_.add_output(node, node->name(), infer(*node)->at(0));
  }

  Value* state(const char* what, at::Tensor tensor) {
    const std::string name = fmt::format("{}_phases_{}", layer_.node->name(), what);
    return program_.add_buffer(program_.unique_state_name(name), std::move(tensor));
  }

  // Sizes of constant_pad_nd: from the last dimension on.
  Ints padding() const {
    Ints sizes;
    for (size_t i = layer_.axes.size(); i-- > 0;)
      sizes.insert(sizes.end(), {layer_.axes[i].front, layer_.axes[i].behind});
    return sizes;
  }

  int64_t phases() const {
    int64_t count = 1;
    for (const Axis& axis : layer_.axes) count *= axis.stride;
    return count;
  }
  // What belongs to an output channel, for each of its phases.
  at::Tensor of_phases(const at::Tensor& of_channels) const { return of_channels.repeat_interleave(phases()); }

  // [in, out / groups, kernel...] to [out * phases, in / groups, taps...].
  at::Tensor codes() const {
    const at::Tensor& stored = layer_.weight.codes;
    const int64_t groups = layer_.groups, in = stored.size(0);
    at::Tensor codes = stored.unflatten(0, {groups, in / groups}).transpose(1, 2).flatten(0, 1);
    Ints order = {0}, taps_order = {1};
    for (size_t i = 0; i < layer_.axes.size(); ++i) {
      const Axis& axis = layer_.axes[i];
      const auto dim = static_cast<int64_t>(2 + 2 * i);  // two for each dimension before it
      Ints sizes = codes.sizes().vec();
      sizes[static_cast<size_t>(dim)] = axis.stride * axis.taps;
      codes = at::zeros(sizes, at::kChar).index_copy(dim, at::tensor(axis.place, at::kLong), codes);
      codes = codes.unflatten(dim, {axis.stride, axis.taps});
      order.push_back(dim);
      taps_order.push_back(dim + 1);
    }
    order.insert(order.end(), taps_order.begin(), taps_order.end());
    return codes.permute(order).flatten(0, static_cast<int64_t>(layer_.axes.size())).contiguous();
  }

  Value* weight() {
    at::Tensor scales = layer_.weight.scales;
    if (scales.numel() == 1) scales = scales.expand({layer_.weight.codes.size(1)});
    scales = of_phases(scales.repeat({layer_.groups}));
    Value* zero_points = state("zero_points", at::zeros(scales.sizes(), at::kLong));
    return add(ops::kDequantizePerChannel, {{"input", state("weight", codes())},
                                            {"scales", state("scales", scales)},
                                            {"zero_points", zero_points},
                                            {"axis", int64_t{0}},
                                            {"quant_min", int64_t{-128}},
                                            {"quant_max", int64_t{127}},
                                            {"dtype", at::kChar}});
  }

  // What makes the image of its phases, without the tensor that each of them reads.
  std::vector<std::pair<const char*, std::vector<NamedArgument>>> moves(const TensorMeta& of_phases) const {
    const auto rank = static_cast<int64_t>(layer_.axes.size());
    Ints sizes = {-1}, order = {0, 1};
    for (int64_t i = 0; i < rank; ++i) {
      sizes.push_back(layer_.axes[static_cast<size_t>(i)].stride);
      order.insert(order.end(), {2 + rank + i, 2 + i});
    }
    std::vector<std::pair<const char*, std::vector<NamedArgument>>> moves;
    if (phases() > 1) {
      moves.push_back({"aten.unflatten.int", {{"dim", int64_t{1}}, {"sizes", sizes}}});
      moves.push_back({"aten.permute.default", {{"dims", order}}});
      for (int64_t i = 0; i < rank; ++i)
        moves.push_back({"aten.flatten.using_ints", {{"start_dim", 2 + i}, {"end_dim", 3 + i}}});
    }
    for (int64_t i = 0; i < rank; ++i) {
      const Axis& axis = layer_.axes[static_cast<size_t>(i)];
      if (std::get<int64_t>(of_phases.sizes[static_cast<size_t>(2 + i)]) * axis.stride == axis.output) continue;
      moves.push_back({"aten.slice.Tensor", {{"dim", 2 + i}, {"start", int64_t{0}}, {"end", axis.output}}});
    }
    return moves;
  }

  // Readers of `end`, which goes, see the image of the phases, under its name.
  void give(Value* phases, Node* end) {
    auto moves = this->moves(phases->tensor());
    const std::string name = end->output()->name();
    const auto metadata = layer_.node->metadata();
    graph_.replace_all_uses(end->output(), phases);
    graph_.erase(end);
    Value* moved = phases;
    Node* first = nullptr;
    for (auto& [op, args] : moves) {
      args.insert(args.begin(), {"self", moved});
      Node* node = graph_.insert_after(moved->producer(), OpId(op), graph_.unique_name("shuffle"), std::move(args));
      for (const auto& [key, text] : metadata) node->set_metadata(key, text);
      if (first == nullptr) first = node;
      moved = graph_.add_output(node, &op == &moves.back().first ? name : node->name(), infer(*node)->at(0));
    }
    if (first != nullptr) graph_.replace_all_uses(phases, moved, first);
  }

  Program& program_;
  Graph& graph_;
  const Layer& layer_;
};

}  // namespace

PassResult rewrite_transposed_convolutions(Program& program) {
  PassResult result;
  const std::unordered_set<const Value*> constants = constant_values(program);
  std::vector<Node*> layers;
  for (Node& node : program.graph()) {
    if (ops::is_conv_transpose(node.op())) layers.push_back(&node);
  }
  for (Node* node : layers) {
    std::string reason;
    if (const std::optional<Layer> layer = read(program, constants, node, reason)) {
      Rewriter(program, *layer).run();
      result.changed = true;
    } else {
      result.refusals.push_back({node->describe(), reason});
    }
  }
  return result;
}

}  // namespace torquant
