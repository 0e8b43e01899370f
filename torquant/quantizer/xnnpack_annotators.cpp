// Patterns and conditions: executorch backends/xnnpack/quantizer/xnnpack_quantizer_utils.py.
#include "torquant/quantizer/xnnpack_annotators.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/match.h"

namespace torquant::xnnpack {
namespace {

using Config = QuantizationConfig;

// A convolution or linear layer: input, weight and bias under the schema's names.
struct Layer {
  const Value* input;
  const Value* weight;
  const Value* bias;

  explicit Layer(const Node& node)
      : input(node.input("input")), weight(node.input("weight")), bias(node.input("bias")) {}
};

void annotate_layer(const Node& node, const Config& config, std::optional<QuantizationSpec> weight_spec,
                    const Node* relu, Annotations& annotations) {
  const Layer layer(node);
  QuantizationAnnotation& annotation = annotations.annotate(&node);
  set_input(annotation, layer.input, config.input_activation);
  set_input(annotation, layer.weight, weight_spec);
  set_output(relu == nullptr ? annotation : annotations.annotate(relu), config.output_activation);
  // A weight that two layers share is annotated for the first alone, as XNNPACKQuantizer does.
  annotations.mark(layer.weight);
  if (layer.bias != nullptr) annotations.mark(layer.bias);
}

void annotate_linear(const Program& program, const Config& config, const NodeFilter& filter, Annotations& annotations) {
  for (const Node& node : program.graph()) {
    if (node.op() != ops::kLinear || annotations.is_annotated(&node) || !filter(node)) continue;
    annotate_layer(node, config, config.weight, nullptr, annotations);
  }
}

// Neither the node nor its weight or bias belongs to a pattern already.
bool is_free(const Node& node, Annotations& annotations) {
  const Layer layer(node);
  if (annotations.is_annotated(&node)) return false;
  if (annotations.is_annotated(layer.weight)) {
    annotations.refuse(
        &node, fmt::format("shares its weight %{} with a layer that is quantized already", layer.weight->name()));
    return false;
  }
  return layer.bias == nullptr || !annotations.is_annotated(layer.bias);
}

void annotate_linear_relu(const Program& program, const Config& config, const NodeFilter& filter,
                          Annotations& annotations) {
  for (const Node& relu : program.graph()) {
    if (!ops::is_relu(relu.op())) continue;
    const Node* linear = sole_producer(first_input(relu));
    if (linear == nullptr || linear->op() != ops::kLinear) continue;
    if (annotations.is_annotated(&relu) || !filter(relu) || !filter(*linear) || !is_free(*linear, annotations))
      continue;
    annotate_layer(*linear, config, config.weight, &relu, annotations);
  }
}

// The weight's spec with the axis of output channels: 1 in a transposed convolution's [in, out, ...].
std::optional<QuantizationSpec> conv_weight_spec(const Config& config, bool transposed) {
  std::optional<QuantizationSpec> spec = config.weight;
  if (spec && transposed) spec->options.ch_axis = 1;
  return spec;
}

// Says why a convolution is left out; empty where it can be taken.
std::string conv_refusal(const Node& conv, const Config& config, bool transposed) {
  if (transposed && int_arg(conv, "groups") != 1) {
    return fmt::format("XNNPACK has no int8 transposed convolution with groups = {} (only 1)", int_arg(conv, "groups"));
  }
  if (!config.is_dynamic()) return "";
  const Value* weight = conv.input("weight");
  if (!weight->is_tensor() || weight->tensor().rank() != 4) {
    return "XNNPACK's dynamic int8 convolution is 2-D only";
  }
  const Dim& inputs_per_group = weight->tensor().sizes[1];
  if (!transposed && inputs_per_group == Dim(int64_t{1})) {
    return "XNNPACK has no dynamic int8 depthwise convolution";
  }
  return "";
}

void annotate_convs(const Program& program, const Config& config, const NodeFilter& filter, Annotations& annotations,
                    bool transposed) {
  for (const Node& conv : program.graph()) {
    if (!(transposed ? ops::is_conv_transpose(conv.op()) : ops::is_conv(conv.op()))) continue;
    // With a ReLU behind it, it belongs to the longer pattern.
    const std::vector<Node*>& users = conv.values()[0]->users();
    if (users.size() == 1 && ops::is_relu(users[0]->op())) continue;
    if (!filter(conv) || !is_free(conv, annotations)) continue;
    if (const std::string reason = conv_refusal(conv, config, transposed); !reason.empty()) {
      annotations.refuse(&conv, reason);
      continue;
    }
    annotate_layer(conv, config, conv_weight_spec(config, transposed), nullptr, annotations);
  }
}

void annotate_convs_relu(const Program& program, const Config& config, const NodeFilter& filter,
                         Annotations& annotations, bool transposed) {
  for (const Node& relu : program.graph()) {
    if (!ops::is_relu(relu.op()) || annotations.is_annotated(&relu)) continue;
    const Node* conv = sole_producer(first_input(relu));
    if (conv == nullptr || !(transposed ? ops::is_conv_transpose(conv->op()) : ops::is_conv(conv->op()))) continue;
    if (!filter(relu) || !filter(*conv) || !is_free(*conv, annotations)) continue;
    if (transposed && int_arg(*conv, "groups") != 1) {
      annotations.refuse(conv, conv_refusal(*conv, config, transposed));
      continue;
    }
    annotate_layer(*conv, config, conv_weight_spec(config, transposed), &relu, annotations);
  }
}

void annotate_conv(const Program& p, const Config& c, const NodeFilter& f, Annotations& a) {
  annotate_convs(p, c, f, a, /*transposed=*/false);
}
void annotate_conv_transpose(const Program& p, const Config& c, const NodeFilter& f, Annotations& a) {
  annotate_convs(p, c, f, a, /*transposed=*/true);
}
void annotate_conv_relu(const Program& p, const Config& c, const NodeFilter& f, Annotations& a) {
  annotate_convs_relu(p, c, f, a, /*transposed=*/false);
}
void annotate_conv_transpose_relu(const Program& p, const Config& c, const NodeFilter& f, Annotations& a) {
  annotate_convs_relu(p, c, f, a, /*transposed=*/true);
}

// Input and output share one observer: pooling keeps the range.
void annotate_adaptive_avg_pool2d(const Program& program, const Config& config, const NodeFilter& filter,
                                  Annotations& annotations) {
  for (const Node& pool : program.graph()) {
    if (pool.op() != ops::kAdaptiveAvgPool2d || annotations.is_annotated(&pool) || !filter(pool)) continue;
    const Value* input = first_input(pool);
    if (input == nullptr || !config.input_activation) continue;
    const QuantizationAnnotation* producer = annotations.find(input->producer());
    AnyQuantizationSpec input_spec = *config.input_activation;
    if (producer != nullptr && producer->output_qspec) input_spec = SharedQuantizationSpec{{input, nullptr}};
    QuantizationAnnotation& annotation = annotations.annotate(&pool);
    annotation.set_input(input, std::move(input_spec));
    annotation.output_qspec = SharedQuantizationSpec{{input, &pool}};
  }
}

// Why an operand of add or mul cannot be observed; empty where it can.
std::string operand_refusal(const Program& program, const Value* operand) {
  constexpr double kLargest = 3.4028235e15;  // histograms work up to here (executorch, _is_input_large_scalar)
  const at::Tensor* constant = program.tensor_of(operand);
  if (constant != nullptr && constant->numel() == 1 && std::abs(constant->item<double>()) > kLargest) {
    return fmt::format("its operand %{} is the constant {:g}, too large to observe", operand->name(),
                       constant->item<double>());
  }
  if (!operand->is_tensor() || operand->tensor().dtype != at::kFloat) {
    return fmt::format("its operand %{} is no float32 tensor", operand->name());
  }
  return "";
}

void annotate_binary(const Program& program, const Config& config, const Node& node, const Node* relu,
                     Annotations& annotations) {
  std::vector<const Value*> operands;
  for (const char* name : {"self", "other"}) {
    const Value* operand = node.input(name);
    if (operand == nullptr) continue;
    if (const std::string reason = operand_refusal(program, operand); !reason.empty()) {
      annotations.refuse(&node, reason);
      return;
    }
    operands.push_back(operand);
  }
  QuantizationAnnotation& annotation = annotations.annotate(&node);
  for (const Value* operand : operands) set_input(annotation, operand, config.input_activation);
  set_output(relu == nullptr ? annotation : annotations.annotate(relu), config.output_activation);
}

void annotate_binaries(const Program& program, const Config& config, const NodeFilter& filter, Annotations& annotations,
                       const OpId& op, const OpId& in_place) {
  for (const Node& node : program.graph()) {
    if ((node.op() != op && node.op() != in_place) || annotations.is_annotated(&node) || !filter(node)) continue;
    annotate_binary(program, config, node, nullptr, annotations);
  }
}

void annotate_binaries_relu(const Program& program, const Config& config, const NodeFilter& filter,
                            Annotations& annotations, const OpId& op, const OpId& in_place) {
  for (const Node& relu : program.graph()) {
    if (!ops::is_relu(relu.op())) continue;
    const Node* node = sole_producer(first_input(relu));
    if (node == nullptr || (node->op() != op && node->op() != in_place)) continue;
    if (annotations.is_annotated(&relu) || annotations.is_annotated(node) || !filter(relu) || !filter(*node)) continue;
    annotate_binary(program, config, *node, &relu, annotations);
  }
}

void annotate_add(const Program& p, const Config& c, const NodeFilter& f, Annotations& a) {
  annotate_binaries(p, c, f, a, ops::kAdd, ops::kAddInPlace);
}
void annotate_add_relu(const Program& p, const Config& c, const NodeFilter& f, Annotations& a) {
  annotate_binaries_relu(p, c, f, a, ops::kAdd, ops::kAddInPlace);
}
void annotate_mul(const Program& p, const Config& c, const NodeFilter& f, Annotations& a) {
  annotate_binaries(p, c, f, a, ops::kMul, ops::kMulInPlace);
}
void annotate_mul_relu(const Program& p, const Config& c, const NodeFilter& f, Annotations& a) {
  annotate_binaries_relu(p, c, f, a, ops::kMul, ops::kMulInPlace);
}

bool passes_values_on(const OpId& op) {
  const std::span<const OpId> all = value_preserving_ops();
  return std::find(all.begin(), all.end(), op) != all.end();
}

// Whether `value` has an annotated origin, looking back through operators that pass values on.
bool has_annotated_origin(const Value* value, const Annotations& annotations) {
  while (value != nullptr && value->producer() != nullptr) {
    const Node* producer = value->producer();
    const QuantizationAnnotation* annotation = annotations.find(producer);
    if (annotation != nullptr && annotation->output_qspec) return true;
    if (!passes_values_on(producer->op())) return false;
    value = first_input(*producer);
  }
  return false;
}

// All inputs and the output share one observer: that of the first input whose range is already known.
void annotate_cat(const Program& program, const Config& config, const NodeFilter& filter, Annotations& annotations) {
  for (const Node& cat : program.graph()) {
    if (cat.op() != ops::kCat || annotations.is_annotated(&cat) || !filter(cat)) continue;
    const std::vector<Value*> inputs = cat.inputs();
    if (inputs.empty() || !config.input_activation) continue;
    const auto known = std::find_if(inputs.begin(), inputs.end(),
                                    [&](const Value* input) { return has_annotated_origin(input, annotations); });
    const Value* source = known == inputs.end() ? inputs[0] : *known;
    const SharedQuantizationSpec shared{{source, &cat}};
    QuantizationAnnotation& annotation = annotations.annotate(&cat);
    annotation.set_input(source, *config.input_activation);
    for (const Value* input : inputs) {
      if (input != source) annotation.set_input(input, shared);
    }
    annotation.output_qspec = shared;
  }
}

}  // namespace

std::span<const Pattern> patterns() {
  static const std::vector<OpId> kLinears = {ops::kLinear};
  static const std::vector<OpId> kConvs = {ops::kConv1d, ops::kConv2d, ops::kConv3d};
  static const std::vector<OpId> kTransposed = {ops::kConvTranspose1d, ops::kConvTranspose2d, ops::kConvTranspose3d};
  static const std::vector<Pattern> kPatterns = {
      {"linear + relu", false, true, kLinears, annotate_linear_relu},
      {"linear", true, true, kLinears, annotate_linear},
      {"conv", true, true, kConvs, annotate_conv},
      {"conv_transpose", true, true, kTransposed, annotate_conv_transpose},
      {"conv + relu", false, true, kConvs, annotate_conv_relu},
      {"conv_transpose + relu", false, true, kTransposed, annotate_conv_transpose_relu},
      {"adaptive_avg_pool2d", false, false, {ops::kAdaptiveAvgPool2d}, annotate_adaptive_avg_pool2d},
      {"add + relu", false, false, {ops::kAdd}, annotate_add_relu},
      {"add", false, false, {ops::kAdd}, annotate_add},
      {"mul + relu", false, false, {ops::kMul}, annotate_mul_relu},
      {"mul", false, false, {ops::kMul}, annotate_mul},
      {"cat", false, false, {ops::kCat}, annotate_cat},
  };
  return kPatterns;
}

std::span<const OpId> value_preserving_ops() {
  static const std::vector<OpId> kOps = [] {
    std::vector<OpId> list;
    for (const char* name :
         {"relu.default",      "hardtanh.default",   "hardtanh_.default", "max_pool2d.default",
          "mean.default",      "mean.dim",           "permute.default",   "permute_copy.default",
          "transpose.int",     "squeeze.dim",        "squeeze_copy.dim",  "adaptive_avg_pool2d.default",
          "view_copy.default", "view.default",       "reshape.default",   "slice.Tensor",
          "slice_copy.Tensor", "flatten.using_ints", "dropout.default",   "dropout_.default"}) {
      list.emplace_back(fmt::format("aten.{}", name));
    }
    return list;
  }();
  return kOps;
}

void propagate_annotations(const Program& program, Annotations& annotations) {
  for (const Node& node : program.graph()) {
    if (!passes_values_on(node.op()) || annotations.is_annotated(&node)) continue;
    const Value* input = first_input(node);
    if (input == nullptr || input->producer() == nullptr) continue;
    const QuantizationAnnotation* producer = annotations.find(input->producer());
    if (producer == nullptr || !producer->output_qspec) continue;
    const SharedQuantizationSpec shared{{input, nullptr}};
    QuantizationAnnotation& annotation = annotations.annotate(&node);
    annotation.set_input(input, shared);
    annotation.output_qspec = shared;
  }
}

}  // namespace torquant::xnnpack
