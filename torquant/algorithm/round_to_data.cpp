#include "torquant/algorithm/round_to_data.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/im2col.h>

#include <algorithm>
#include <string>

#include "torquant/algorithm/error_feedback.h"
#include "torquant/graph/layers.h"
#include "torquant/graph/one_thread.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/graph/stepwise_run.h"

namespace torquant {
namespace {

constexpr int64_t kPositions = 1024;  // of one sample that a layer's moments are taken from

// A layer whose weight is stored int8 codes with a scale an output channel.
struct Layer {
  Node* node;
  Node* dequantize;   // of the weight
  std::string codes;  // name in the state
  std::string bias;   // "" where there is none
};

bool is_quantized_input(const Value* value) {
  return value != nullptr && value->producer() != nullptr && value->producer()->op() == ops::kDequantizePerTensor;
}

// The state behind a graph input that nothing else reads; "" for another value.
std::string own_state(const Program& program, const Value* value) {
  const InputSpec* spec = value == nullptr || value->producer() != nullptr ? nullptr : program.spec_of(value);
  if (spec == nullptr || value->users().size() != 1 || program.find_state(spec->target) == nullptr) return "";
  return count_state_readers(program).at(spec->target) == 1 ? spec->target : "";
}

std::optional<Layer> read_layer(const Program& program, Node& node, std::string& reason) {
  const Value* weight = node.input("weight");
  Node* dequantize = weight == nullptr ? nullptr : weight->producer();
  if (dequantize == nullptr || dequantize->op() != ops::kDequantizePerChannel || int_arg(*dequantize, "axis") != 0) {
    reason = "its weight is not int8 with a scale an output channel";
    return std::nullopt;
  }
  if (!is_quantized_input(node.input("input"))) {
    reason = "its input is not quantized";
    return std::nullopt;
  }
  Layer layer{&node, dequantize, own_state(program, dequantize->input("input")),
              own_state(program, node.input("bias"))};
  const at::Tensor* codes = program.find_state(layer.codes);
  if (layer.codes.empty() || weight->users().size() != 1 || codes->scalar_type() != at::kChar) {
    reason = "its weight is shared";
    return std::nullopt;
  }
  return layer;
}

// What goes into each output, [groups, K, positions], of at most kPositions evenly spaced ones.
at::Tensor patches(const Node& node, const at::Tensor& input) {
  const auto thin = [](const at::Tensor& x) {
    return x.slice(2, 0, x.size(2), std::max<int64_t>(1, (x.size(2) + kPositions - 1) / kPositions)).contiguous();
  };
  if (node.op() == ops::kLinear) return thin(input.reshape({1, -1, input.size(-1)}).transpose(1, 2));
  const TensorMeta& weight = node.input("weight")->tensor();
  const std::vector<int64_t> kernel = {hint_of(weight.sizes[2]).value(), hint_of(weight.sizes[3]).value()};
  const at::Tensor columns = at::im2col(input, kernel, ints_arg(node, "dilation", 2), ints_arg(node, "padding", 2),
                                        ints_arg(node, "stride", 2));  // [N, C * kernel, positions]
  const int64_t groups = int_arg(node, "groups");
  const at::Tensor all = columns.transpose(0, 1).reshape({groups, columns.size(1) / groups, -1});
  return thin(all);
}

NodeHandler pass_observers_by() {
  return [](const Node&, std::vector<c10::IValue>& stack) { stack.resize(1); };
}

}  // namespace

RoundToDataResult round_to_data(Program& converted, const Program& reference,
                                const std::vector<std::vector<at::Tensor>>& samples,
                                const RoundToDataOptions& options) {
  const at::NoGradGuard no_grad;
  const OneThread one_thread;
  RoundToDataResult result;
  std::vector<Layer> layers;
  for (Node* node : converted.graph().nodes_snapshot()) {
    const bool known = node->op() == ops::kConv2d || node->op() == ops::kLinear;
    if (!is_layer(*node) || node->input("weight") == nullptr || (options.selects && !options.selects(*node))) continue;
    std::string reason = known ? "" : "only conv2d and linear are";
    const Node* twin = reference.graph().find_node(node->name());
    if (known && (twin == nullptr || twin->op() != node->op())) reason = "the float program has no such layer";
    const std::optional<Layer> layer = reason.empty() ? read_layer(converted, *node, reason) : std::nullopt;
    if (!layer) {
      result.refusals.push_back({node->describe(), "not rounded to data: " + reason});
      continue;
    }
    converted.graph().move_before(layer->dequantize, node);  // so that new codes come in time
    // The state may be a read-only mapping of a file, and is written below.
    for (const std::string& name : {layer->codes, layer->bias}) {
      if (!name.empty()) converted.set_state(name, converted.find_state(name)->clone());
    }
    layers.push_back(*layer);
  }
  if (samples.empty()) return result;
  StepwiseRun quantized(converted, {}, samples);
  StepwiseRun floating(reference, {.handlers = {{ops::kObserve, pass_observers_by()}}}, samples);
  for (const Layer& layer : layers) {
    const Node& twin = *reference.graph().find_node(layer.node->name());
    quantized.run_until(*layer.dequantize);
    floating.run_until(twin);
    LayerMoments moments;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (options.poll) options.poll();
      moments.add(patches(*layer.node, quantized.argument(i, *layer.node, "input")),
                  patches(twin, floating.argument(i, twin, "input")));
    }
    if (!moments.is_finite()) {
      result.refusals.push_back({layer.node->describe(), "not rounded to data: it reads values that are not finite"});
      continue;
    }
    at::Tensor codes = *converted.find_state(layer.codes);
    const at::Tensor weight = floating.argument(0, twin, "weight");
    const at::Tensor scales = quantized.argument(0, *layer.dequantize, "scales");
    const QuantRange range{int_arg(*layer.dequantize, "quant_min"), int_arg(*layer.dequantize, "quant_max")};
    const RoundedLayer rounded = round_with_error_feedback(weight.flatten(1), scales, moments, range, options.poll);
    codes.copy_(rounded.codes.view(codes.sizes()));
    if (!layer.bias.empty()) {
      at::Tensor bias = *converted.find_state(layer.bias);
      bias.copy_(floating.argument(0, twin, "bias") + rounded.bias_shift);
    }
    ++result.layers;
    if (options.after_layer) options.after_layer(result.layers, layers.size());
  }
  return result;
}

}  // namespace torquant
