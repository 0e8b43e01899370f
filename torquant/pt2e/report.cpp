#include "torquant/pt2e/report.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "torquant/graph/layers.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

int64_t float_bytes(const Program& program, const Value* weight) {
  const at::Tensor* tensor = program.tensor_of(weight);
  return tensor == nullptr ? 0 : static_cast<int64_t>(tensor->nbytes());
}

std::string describe(const AnyQuantizationSpec* spec, const char* what) {
  if (spec == nullptr) return fmt::format("float {}", what);
  const ObserverOptions* options = options_of(*spec);
  if (options == nullptr) return fmt::format("quantized {}", what);
  const char* granularity = is_per_channel(options->qscheme)               ? " per channel"
                            : options->qscheme == QScheme::kPerTokenAffine ? " per token"
                                                                           : "";
  return fmt::format("{}{} {}{}", options->is_dynamic ? "dynamic " : "", dtype_name(options->dtype), what, granularity);
}

}  // namespace

size_t QuantizationReport::quantized_layers() const {
  return static_cast<size_t>(std::count_if(layers.begin(), layers.end(), [](auto& layer) { return layer.quantized; }));
}

namespace {

double percent(const std::vector<LayerReport>& layers, int64_t LayerReport::* amount) {
  double total = 0;  // exact to 2^53, and no sum of what a file says overflows
  double quantized = 0;
  for (const LayerReport& layer : layers) {
    const auto own = static_cast<double>(layer.*amount);
    total += own;
    if (layer.quantized) quantized += own;
  }
  return total == 0 ? 0 : 100 * quantized / total;
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
    layer.macs = multiply_accumulates(node);
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
