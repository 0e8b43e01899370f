#include "torquant/quantizer/pattern_quantizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "torquant/core/error.h"

namespace torquant {
namespace {

using patterns::Reach;

// The operator that a table has under `name`, or under the end of it: "Conv2d" for "torch.nn.Conv2d".
OpId find_op(const std::vector<std::pair<std::string, OpId>>& table, const std::string& where,
             const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, op] : table) {
    if (name == known || name.ends_with("." + known)) return op;
    names.push_back(known);
  }
  throw Error({.where = where,
               .what = fmt::format("it does not quantize {}", name),
               .allowed = fmt::format("{}", fmt::join(names, ", "))});
}

const char* mode_name(const QuantizationConfig& config) { return config.is_dynamic() ? "dynamic" : "static"; }

void add_capabilities(const patterns::Backend& backend, std::vector<Capability>& rows) {
  for (const QuantizationConfig& config : backend.configs) {
    const std::optional<ObserverOptions> activation =
        config.input_activation ? std::optional(config.input_activation->options) : std::nullopt;
    for (const patterns::Pattern& pattern : backend.patterns) {
      if (!activation && !pattern.has_weight()) continue;
      rows.push_back(
          {.quantizer = backend.name,
           .pattern = pattern.name(),
           .ops = {pattern.op},
           .activation = activation,
           .weight = pattern.has_weight() && config.weight ? std::optional(config.weight->options) : std::nullopt,
           .on_request = pattern.reach != Reach::kGlobal});
    }
    if (!activation) continue;
    for (const OpId& op : backend.propagated) {
      rows.push_back({.quantizer = backend.name,
                      .pattern = short_name(op),
                      .ops = {op},
                      .activation = activation,
                      .follows = true});
    }
  }
}

}  // namespace

bool PatternQuantizer::is_dynamic() const {
  const auto has_dynamic = [](const auto& rule) { return rule.second && rule.second->is_dynamic(); };
  return (global_ && global_->is_dynamic()) || std::ranges::any_of(module_names_, has_dynamic) ||
         std::ranges::any_of(operators_, has_dynamic);
}

const patterns::Backend& PatternQuantizer::backend_for(const Config& config) const {
  return config && config->is_dynamic() ? *dynamic_backend_ : *backend_;
}

void PatternQuantizer::check_mode(const std::string& where, const Config& config) const {
  if (!config) return;
  if (config->is_qat) {
    throw Error({.where = where,
                 .what = "the configuration is for training (is_qat)",
                 .allowed = "is_qat = false: programs are quantized after training so far"});
  }
  if (!config->input_activation) return;
  const auto check = [&](const Config& other) {
    if (!other || !other->input_activation || other->is_dynamic() == config->is_dynamic()) return;
    throw Error({.where = where,
                 .what = fmt::format("a {} configuration beside a {} one", mode_name(*config), mode_name(*other)),
                 .allowed = "one mode a quantizer",
                 .hint = "give each mode a quantizer of its own, and both to a ComposableQuantizer"});
  };
  for (const auto& [name, other] : module_names_) check(other);
  for (const auto& [op, other] : operators_) check(other);
  check(global_);
}

PatternQuantizer& PatternQuantizer::set_global(Config config) {
  check_mode(name() + "::set_global", config);
  global_ = std::move(config);
  return *this;
}

PatternQuantizer& PatternQuantizer::set_function_type_qconfig(const std::string& function, Config config) {
  const std::string where = fmt::format("{}::set_function_type_qconfig({})", name(), function);
  const OpId op = find_op(backend_for(config).functions, where, function);
  check_mode(where, config);
  set_rule(operators_, op, std::move(config));
  return *this;
}

PatternQuantizer& PatternQuantizer::set_module_type_qconfig(const std::string& type, Config config) {
  const std::string where = fmt::format("{}::set_module_type_qconfig({})", name(), type);
  const OpId op = find_op(backend_for(config).modules, where, type);
  check_mode(where, config);
  set_rule(operators_, op, std::move(config));
  return *this;
}

PatternQuantizer& PatternQuantizer::set_module_name_qconfig(const std::string& module, Config config) {
  check_mode(fmt::format("{}::set_module_name_qconfig({})", name(), module), config);
  set_rule(module_names_, module, std::move(config));
  return *this;
}

PatternQuantizer& PatternQuantizer::set_filter_function(NodeFilter filter) {
  filter_ = std::move(filter);
  return *this;
}

void PatternQuantizer::annotate(const Program& program, Annotations& annotations) {
  patterns::Annotator annotator(is_dynamic() ? *dynamic_backend_ : *backend_, program, annotations);
  const NodeFilter allowed = [&](const Node& node) {
    if (!filter_ || filter_(node)) return true;
    annotations.refuse(&node, "left in float by the filter function");
    return false;
  };
  for (const auto& [module, config] : module_names_) {
    const NodeFilter inside = inside_module_named(module);
    const std::string what = fmt::format("set_module_name_qconfig({})", module);
    check_selects_any(program, what, inside);
    annotator.apply({.what = what, .config = config, .reach = Reach::kModule, .selects = [&](const Node& node) {
                       return inside(node) && allowed(node);
                     }});
  }
  for (const auto& [op, config] : operators_) {
    const std::string what = fmt::format("the rule for {}", op.name());
    check_selects_any(program, what, [&](const Node& node) { return node.op() == op; });
    annotator.apply({.what = what, .config = config, .reach = Reach::kOperator, .op = op, .selects = allowed});
  }
  if (global_) {
    annotator.apply({.what = "set_global", .config = global_, .reach = Reach::kGlobal, .selects = allowed});
    annotator.explain_the_rest();
  }
}

std::vector<Capability> PatternQuantizer::capabilities() const {
  std::vector<Capability> rows;
  add_capabilities(*backend_, rows);
  if (dynamic_backend_ != backend_) add_capabilities(*dynamic_backend_, rows);
  return rows;
}

}  // namespace torquant
