#include "torquant/quantizer/recipe_quantizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "torquant/core/error.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/activation.h"
#include "torquant/quantizer/arm_inductor_quantizer.h"
#include "torquant/quantizer/torquant_quantizer.h"
#include "torquant/quantizer/x86_inductor_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

template <typename T>
std::unique_ptr<Quantizer> make(const QuantizationConfig& config, NodeFilter filter) {
  auto quantizer = std::make_unique<T>();
  quantizer->set_global(config);
  quantizer->set_filter_function(std::move(filter));
  return quantizer;
}

// What a scheme means.
std::unique_ptr<Quantizer> make_quantizer(const std::string& scheme, NodeFilter filter = nullptr) {
  if (scheme == "int8-static") {
    return make<TorquantQuantizer>(get_default_torquant_quantization_config(), std::move(filter));
  }
  if (scheme == "xnnpack-static") {
    return make<XNNPACKQuantizer>(get_symmetric_quantization_config({.is_per_channel = true}), std::move(filter));
  }
  if (scheme == "xnnpack-static-per-tensor") {
    return make<XNNPACKQuantizer>(get_symmetric_quantization_config(), std::move(filter));
  }
  if (scheme == "x86-static") {
    return make<X86InductorQuantizer>(get_default_x86_inductor_quantization_config(), std::move(filter));
  }
  if (scheme == "x86-static-reduce-range") {
    return make<X86InductorQuantizer>(get_default_x86_inductor_quantization_config({.reduce_range = true}),
                                      std::move(filter));
  }
  if (scheme == "arm-static") {
    return make<ArmInductorQuantizer>(get_default_arm_inductor_quantization_config(), std::move(filter));
  }
  if (scheme == "int8-dynamic") {
    return make<TorquantQuantizer>(get_default_torquant_quantization_config({.is_dynamic = true}), std::move(filter));
  }
  if (scheme == "xnnpack-dynamic") {
    return make<XNNPACKQuantizer>(get_symmetric_quantization_config({.is_per_channel = true, .is_dynamic = true}),
                                  std::move(filter));
  }
  if (scheme == "x86-dynamic") {
    return make<X86InductorQuantizer>(get_default_x86_inductor_quantization_config({.is_dynamic = true}),
                                      std::move(filter));
  }
  throw Error({.where = "recipe", .what = fmt::format("no quantizer has the scheme \"{}\"", scheme)});
}

// What `quantizer` can do of a scheme's kind: static ones need data, the others' scales are chosen at run time.
std::vector<Capability> capabilities_of(const Quantizer& quantizer, const std::string& scheme) {
  std::vector<Capability> capabilities = quantizer.capabilities();
  const bool is_static = find_scheme(scheme)->needs_data;
  std::erase_if(capabilities, [&](const Capability& c) { return (mode_of(c) == "static") != is_static; });
  return capabilities;
}

// Those that a recipe names, but float.
std::set<std::string> schemes_of(const Recipe& recipe) {
  std::set<std::string> schemes = {recipe.scheme};
  for (const Rule& rule : recipe.rules) schemes.insert(rule.scheme);
  schemes.erase(kFloatScheme);
  return schemes;
}

}  // namespace

RecipeQuantizer::RecipeQuantizer(Recipe recipe) : recipe_(std::move(recipe)) { check_recipe(recipe_); }

void RecipeQuantizer::transform_for_annotation(Program& program) {
  for (const std::string& scheme : schemes_of(recipe_)) make_quantizer(scheme)->transform_for_annotation(program);
}

std::vector<Capability> RecipeQuantizer::capabilities() const {
  std::vector<Capability> all;
  for (const std::string& scheme : schemes_of(recipe_)) {
    std::ranges::copy(capabilities_of(*make_quantizer(scheme), scheme), std::back_inserter(all));
  }
  return all;
}

RecipeQuantizer::Decision RecipeQuantizer::decide(const Node& node, const RuleOfNode& rules) const {
  if (const auto rule = rules.find(&node); rule != rules.end()) {
    return {recipe_.rules[rule->second].scheme, rule_text(recipe_, rule->second), rule->second};
  }
  // An activation that no rule names goes with what it follows, so that both are quantized as one.
  const Value* input = is_activation(node.op()) ? node.input("self") : nullptr;
  if (input != nullptr && input->producer() != nullptr) {
    const auto before = decisions_.find(input->producer()->name());
    if (before != decisions_.end()) return before->second;
  }
  return {recipe_.scheme, "recipe"};
}

void RecipeQuantizer::annotate(const Program& program, Annotations& annotations) {
  const auto quantized = std::find_if(program.graph().begin(), program.graph().end(), [](const Node& node) {
    return ops::is_quantize(node.op()) || ops::is_dequantize(node.op());
  });
  if (quantized != program.graph().end()) {
    throw Error({.where = recipe_.name,
                 .what = fmt::format("the program is quantized already: it holds {}", quantized->describe()),
                 .hint = "start from the float program"});
  }
  const RuleOfNode rules = deciding_rules(recipe_, program);

  decisions_.clear();
  std::set<std::string> schemes;
  for (const Node& node : program.graph()) {
    Decision decision = decide(node, rules);
    if (decision.scheme == kFloatScheme) {
      annotations.refuse(&node, "left in float by " + decision.source);
    } else {
      schemes.insert(decision.scheme);
    }
    decisions_.emplace(node.name(), std::move(decision));
  }
  for (const std::string& scheme : schemes) {
    // One scheme needs no filter, and so leaves no reason "filter" behind.
    const bool everything = schemes.size() == 1 && std::ranges::all_of(decisions_, [&](const auto& entry) {
                              return entry.second.scheme == scheme;
                            });
    NodeFilter of_scheme = [&](const Node& node) { return decisions_.at(node.name()).scheme == scheme; };
    const std::unique_ptr<Quantizer> quantizer = make_quantizer(scheme, everything ? nullptr : of_scheme);
    const std::vector<Capability> capabilities = capabilities_of(*quantizer, scheme);
    for (const Node& node : program.graph()) {
      Decision& decision = decisions_.at(node.name());
      if (decision.scheme == scheme) decision.served = serves(capabilities, node.op());
    }
    quantizer->annotate(program, annotations);
  }
}

const RecipeQuantizer::Decision* RecipeQuantizer::decision(const std::string& node_name) const {
  const auto found = decisions_.find(node_name);
  return found == decisions_.end() ? nullptr : &found->second;
}

std::vector<size_t> RecipeQuantizer::decided_by_rule() const {
  std::vector<size_t> counts(recipe_.rules.size());
  for (const auto& [node, decision] : decisions_) {
    if (decision.rule) ++counts[*decision.rule];
  }
  return counts;
}

}  // namespace torquant
