#pragma once

#include <optional>
#include <string>

#include "torquant/quantizer/patterns.h"
#include "torquant/quantizer/quantizer.h"

namespace torquant {

// A quantizer made of a table of patterns, with the rules of those for Inductor's CPU backends (torchao
// pt2e/quantizer/x86_inductor_quantizer.py).
//
// For each node a rule for a module comes before one for an operator, and that before the global one; of one kind, the
// first that was given. No configuration: what the rule selects stays in float. A pattern is taken as a whole, and only
// if every node of it is selected.
//
// All configurations of one quantizer are static, or all dynamic: ComposableQuantizer mixes. Throws Error for another,
// for a function or module type that the backend has no kernel for, and for a rule that selects nothing.
class PatternQuantizer : public Quantizer {
 public:
  using Config = std::optional<QuantizationConfig>;

  PatternQuantizer& set_global(Config config);
  // "torch.matmul", "torch.nn.functional.conv2d". Selects the operator, however it was called.
  PatternQuantizer& set_function_type_qconfig(const std::string& function, Config config);
  // "torch.nn.Conv2d", or the end of it. Selects the operator that such modules call, wherever it is called.
  PatternQuantizer& set_module_type_qconfig(const std::string& type, Config config);
  // "layer1.0". What lies inside that module; products on request (matmul) too.
  PatternQuantizer& set_module_name_qconfig(const std::string& name, Config config);
  // Only nodes for which `filter` holds are annotated.
  PatternQuantizer& set_filter_function(NodeFilter filter);

  void annotate(const Program& program, Annotations& annotations) override;
  std::vector<Capability> capabilities() const override;
  std::string name() const override { return backend_->name; }

 protected:
  // The backends must outlive the quantizer. `dynamic`: what configurations with run-time scales get instead; of the
  // same name.
  explicit PatternQuantizer(const patterns::Backend& backend) : PatternQuantizer(backend, backend) {}
  PatternQuantizer(const patterns::Backend& backend, const patterns::Backend& dynamic)
      : backend_(&backend), dynamic_backend_(&dynamic) {}

  bool is_dynamic() const;  // its configurations, all of them

 private:
  void check_mode(const std::string& where, const Config& config) const;
  const patterns::Backend& backend_for(const Config& config) const;

  const patterns::Backend* backend_;
  const patterns::Backend* dynamic_backend_;
  RuleList<std::string, Config> module_names_;
  RuleList<OpId, Config> operators_;
  Config global_;
  NodeFilter filter_;
};

}  // namespace torquant
