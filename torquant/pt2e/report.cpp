#include "torquant/pt2e/report.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

bool is_layer(const Node& node) {
  const OpId& op = node.op();
  return op == ops::kLinear || ops::is_conv(op) || ops::is_conv_transpose(op) || op == ops::kMatmul ||
         op == ops::kBmm || op == ops::kEmbedding || op == ops::kScaledDotProductAttention ||
         op.name() == "aten.lstm.input" || op.name() == "aten.gru.input";
}

// Elements at the example sizes; 0 when a size has no hint.
int64_t elements(const Value* value) {
  if (value == nullptr || !value->is_tensor()) return 0;
  int64_t count = 1;
  for (const Dim& size : value->tensor().sizes) count *= hint_of(size).value_or(0);
  return count;
}

int64_t size_at(const Value* value, int64_t axis) {
  const TensorMeta& meta = value->tensor();
  const auto index = static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(meta.rank()) : axis);
  return index < meta.rank() ? hint_of(meta.sizes[index]).value_or(0) : 0;
}

// Multiply-accumulates: what each output (of a transposed convolution: each input) element takes.
int64_t macs_of(const Node& node) {
  const Value* output = node.output();
  const Value* weight = node.input("weight");
  if (output == nullptr || !output->is_tensor()) return 0;
  if (node.op() == ops::kLinear) return elements(output) * size_at(weight, -1);
  if (ops::is_conv(node.op())) {
    const int64_t channels = std::max<int64_t>(size_at(weight, 0), 1);
    return elements(output) * (elements(weight) / channels);
  }
  if (ops::is_conv_transpose(node.op())) {
    const int64_t channels = std::max<int64_t>(size_at(weight, 0), 1);
    return elements(node.input("input")) * (elements(weight) / channels);
  }
  if (node.op() == ops::kMatmul || node.op() == ops::kBmm) {
    const Value* self = node.input("self");
    return self == nullptr ? 0 : elements(output) * size_at(self, -1);
  }
  return 0;
}

int64_t float_bytes(const Program& program, const Value* weight) {
  const at::Tensor* tensor = program.tensor_of(weight);
  return tensor == nullptr ? 0 : static_cast<int64_t>(tensor->nbytes());
}

std::string describe(const AnyQuantizationSpec* spec, const char* what) {
  if (spec == nullptr) return fmt::format("float {}", what);
  const ObserverOptions* options = options_of(*spec);
  if (options == nullptr) return fmt::format("quantized {}", what);
  return fmt::format("{}{} {}{}", options->is_dynamic ? "dynamic " : "", dtype_name(options->dtype), what,
                     is_per_channel(options->qscheme) ? " per channel" : "");
}

}  // namespace

size_t QuantizationReport::quantized_layers() const {
  return static_cast<size_t>(std::count_if(layers.begin(), layers.end(), [](auto& layer) { return layer.quantized; }));
}

namespace {

double percent(const std::vector<LayerReport>& layers, int64_t LayerReport::* amount) {
  int64_t total = 0;
  int64_t quantized = 0;
  for (const LayerReport& layer : layers) {
    total += layer.*amount;
    if (layer.quantized) quantized += layer.*amount;
  }
  return total == 0 ? 0 : 100.0 * static_cast<double>(quantized) / static_cast<double>(total);
}

}  // namespace

double QuantizationReport::percent_of_weight_bytes() const { return percent(layers, &LayerReport::weight_bytes); }
double QuantizationReport::percent_of_macs() const { return percent(layers, &LayerReport::macs); }

QuantizationReport make_report(const Program& program, const Annotations& annotations, const std::string& quantizer) {
  QuantizationReport report;
  report.annotated_nodes = annotations.size();
  for (const Node& node : program.graph()) {
    if (!is_layer(node)) continue;
    LayerReport layer{.node = node.name(), .module_path = node.module_path(), .op = node.op().name()};
    const Value* weight = node.input("weight");
    layer.weight_bytes = float_bytes(program, weight);
    layer.macs = macs_of(node);
    const QuantizationAnnotation* annotation = annotations.find(&node);
    if (annotation != nullptr && !annotation->input_qspec_map.empty()) {
      layer.quantized = true;
      const Value* input = node.inputs().empty() ? nullptr : node.inputs()[0];
      layer.scheme = describe(annotation->find_input(input), "input");
      if (weight != nullptr) layer.scheme += ", " + describe(annotation->find_input(weight), "weight");
    } else if (const std::string* reason = annotations.reason(&node)) {
      layer.reason = *reason;
    } else {
      layer.reason = fmt::format("no pattern or rule of {} takes it", quantizer);
    }
    report.layers.push_back(std::move(layer));
  }
  return report;
}

}  // namespace torquant
