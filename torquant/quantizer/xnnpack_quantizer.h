#pragma once

#include <string>

#include "torquant/quantizer/node_filter.h"
#include "torquant/quantizer/quantization_config.h"
#include "torquant/quantizer/quantizer.h"

namespace torquant {

// Annotates what XNNPACK's int8 kernels run (executorch backends/xnnpack/quantizer, 1.5): convolutions, transposed
// convolutions and linear layers, alone or with the ReLU that follows; add and mul, alone or with ReLU; cat; adaptive
// average pooling; and the operators that pass values on unchanged, which share the observer of their input.
//
//   XNNPACKQuantizer quantizer;
//   quantizer.set_global(get_symmetric_quantization_config({.is_per_channel = true}))
//       .set_module_name("head", std::nullopt);   // stays in float
//
// For each node a module name rule comes before a module type rule, that before an operator rule, that before the
// global one. No configuration: the selected operators stay in float. A rule that selects nothing is an Error.
class XNNPACKQuantizer : public Quantizer {
 public:
  using Config = std::optional<QuantizationConfig>;

  XNNPACKQuantizer& set_global(Config config);
  // "aten.linear.default"
  XNNPACKQuantizer& set_operator_type(std::string op, Config config);
  // "torch.nn.modules.conv.Conv2d", or the end of it: "Conv2d". Also what lies inside such a module.
  XNNPACKQuantizer& set_module_type(std::string type, Config config);
  // "layer1.0.conv1". Also what lies inside the module.
  XNNPACKQuantizer& set_module_name(std::string name, Config config);
  // Only nodes for which `filter` holds are annotated.
  XNNPACKQuantizer& set_filter_function(NodeFilter filter);

  void transform_for_annotation(Program& program) override;
  void annotate(const Program& program, Annotations& annotations) override;
  std::vector<Capability> capabilities() const override;
  std::string name() const override { return "XNNPACKQuantizer"; }

 private:
  // What one set_… call asked for.
  struct Rule {
    std::string what;  // for messages: "set_module_type(Conv2d)"
    NodeFilter selects;
    const Config& config;
    std::optional<OpId> op = std::nullopt;  // only patterns with this operator at their heart
  };
  void apply(const Program& program, const Rule& rule, const NodeFilter& allowed, Annotations& annotations) const;

  RuleList<std::string, Config> module_names_;
  RuleList<std::string, Config> module_types_;
  RuleList<std::string, Config> operator_types_;
  Config global_;
  NodeFilter filter_;
};

}  // namespace torquant
