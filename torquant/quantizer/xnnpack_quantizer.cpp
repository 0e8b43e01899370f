#include "torquant/quantizer/xnnpack_quantizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "torquant/core/error.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/scalars_to_tensors.h"
#include "torquant/quantizer/xnnpack_annotators.h"

namespace torquant {

XNNPACKQuantizer& XNNPACKQuantizer::set_global(Config config) {
  global_ = std::move(config);
  return *this;
}

XNNPACKQuantizer& XNNPACKQuantizer::set_operator_type(std::string op, Config config) {
  const auto known = [&](const xnnpack::Pattern& pattern) {
    return std::find(pattern.ops.begin(), pattern.ops.end(), OpId(op)) != pattern.ops.end();
  };
  const auto patterns = xnnpack::patterns();
  if (std::none_of(patterns.begin(), patterns.end(), known)) {
    std::vector<std::string> names;
    for (const xnnpack::Pattern& pattern : patterns) {
      for (const OpId& known_op : pattern.ops) {
        if (std::find(names.begin(), names.end(), known_op.name()) == names.end()) names.push_back(known_op.name());
      }
    }
    throw Error({.where = "XNNPACKQuantizer::set_operator_type",
                 .what = fmt::format("it does not quantize {}", op),
                 .allowed = fmt::format("{}", fmt::join(names, ", "))});
  }
  set_rule(operator_types_, std::move(op), std::move(config));
  return *this;
}

XNNPACKQuantizer& XNNPACKQuantizer::set_module_type(std::string type, Config config) {
  set_rule(module_types_, std::move(type), std::move(config));
  return *this;
}

XNNPACKQuantizer& XNNPACKQuantizer::set_module_name(std::string name, Config config) {
  set_rule(module_names_, std::move(name), std::move(config));
  return *this;
}

XNNPACKQuantizer& XNNPACKQuantizer::set_filter_function(NodeFilter filter) {
  filter_ = std::move(filter);
  return *this;
}

void XNNPACKQuantizer::transform_for_annotation(Program& program) { scalars_to_tensors(program); }

void XNNPACKQuantizer::apply(const Program& program, const Rule& rule, const NodeFilter& allowed,
                             Annotations& annotations) const {
  if (!rule.config) {
    for (const Node& node : program.graph()) {
      if (rule.selects(node)) annotations.refuse(&node, fmt::format("left in float by {}", rule.what));
    }
    return;
  }
  const NodeFilter filter = [&](const Node& node) {
    const bool relu_behind = rule.op && ops::is_relu(node.op());
    return (rule.selects(node) || relu_behind) && allowed(node);
  };
  for (const xnnpack::Pattern& pattern : xnnpack::patterns()) {
    if (rule.config->is_dynamic() && !pattern.dynamic) continue;
    if (rule.op && std::find(pattern.ops.begin(), pattern.ops.end(), *rule.op) == pattern.ops.end()) continue;
    pattern.annotate(program, *rule.config, filter, annotations);
  }
}

void XNNPACKQuantizer::annotate(const Program& program, Annotations& annotations) {
  const NodeFilter user_filter = [&](const Node& node) {
    if (!filter_ || filter_(node)) return true;
    annotations.refuse(&node, "left in float by the filter function");
    return false;
  };
  std::vector<NodeFilter> named;
  for (const auto& [module, config] : module_names_) {
    named.push_back(inside_module_named(module));
    const std::string what = fmt::format("set_module_name({})", module);
    check_selects_any(program, what, named.back());
    apply(program, {what, named.back(), config}, user_filter, annotations);
  }
  for (const auto& [type, config] : module_types_) {
    named.push_back(inside_module_of_type(type));
    const std::string what = fmt::format("set_module_type({})", type);
    check_selects_any(program, what, named.back());
    apply(program, {what, named.back(), config}, user_filter, annotations);
  }
  const NodeFilter elsewhere = [&](const Node& node) {
    const bool has_rule = std::any_of(named.begin(), named.end(), [&](const NodeFilter& in) { return in(node); });
    return !has_rule && user_filter(node);
  };
  for (const auto& [name, config] : operator_types_) {
    const OpId op(name);
    const NodeFilter is_op = [op](const Node& node) { return node.op() == op; };
    const std::string what = fmt::format("set_operator_type({})", name);
    check_selects_any(program, what, is_op);
    apply(program, {what, is_op, config, op}, elsewhere, annotations);
  }
  if (global_) {
    const NodeFilter all = [](const Node&) { return true; };
    apply(program, {"set_global", all, global_}, elsewhere, annotations);
  }
  xnnpack::propagate_annotations(program, annotations);
}

std::vector<Capability> XNNPACKQuantizer::capabilities() const {
  std::vector<Capability> rows;
  for (const bool is_dynamic : {false, true}) {
    for (const bool is_per_channel : {true, false}) {
      const QuantizationConfig config =
          get_symmetric_quantization_config({.is_per_channel = is_per_channel, .is_dynamic = is_dynamic});
      for (const xnnpack::Pattern& pattern : xnnpack::patterns()) {
        if (is_dynamic && !pattern.dynamic) continue;
        if (!is_per_channel && !pattern.has_weight) continue;  // the same as the other
        rows.push_back({.quantizer = name(),
                        .pattern = pattern.name,
                        .ops = pattern.ops,
                        .activation = config.input_activation->options,
                        .weight = pattern.has_weight ? std::optional(config.weight->options) : std::nullopt});
      }
    }
  }
  const ObserverOptions activation = get_symmetric_quantization_config().input_activation->options;
  for (const OpId& op : xnnpack::value_preserving_ops()) {
    rows.push_back(
        {.quantizer = name(), .pattern = short_name(op), .ops = {op}, .activation = activation, .follows = true});
  }
  return rows;
}

}  // namespace torquant
