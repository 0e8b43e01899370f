#include "torquant/quantizer/recipe_quantizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "torquant/core/error.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/xnnpack_annotators.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

QuantizationConfig config_of(const std::string& scheme) {
  return get_symmetric_quantization_config({.is_per_channel = scheme == "xnnpack-static"});
}

bool xnnpack_serves(const OpId& op) {
  return std::ranges::any_of(xnnpack::patterns(), [&](const xnnpack::Pattern& pattern) {
    return std::find(pattern.ops.begin(), pattern.ops.end(), op) != pattern.ops.end();
  });
}

}  // namespace

void RecipeQuantizer::transform_for_annotation(Program& program) {
  XNNPACKQuantizer().transform_for_annotation(program);
}

RecipeQuantizer::Decision RecipeQuantizer::decide(const Node& node) const {
  for (size_t i = recipe_.rules.size(); i-- > 0;) {
    const Rule& rule = recipe_.rules[i];
    if (rule.select.matches(node)) return {rule.scheme, fmt::format("rule {} ({})", i + 1, rule.select.text())};
  }
  // An activation that no rule names goes with what it follows, so that both are quantized as one.
  const Value* input = ops::is_relu(node.op()) ? node.input("self") : nullptr;
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
  for (size_t i = 0; i < recipe_.rules.size(); ++i) {
    const Selector& select = recipe_.rules[i].select;
    if (std::none_of(program.graph().begin(), program.graph().end(),
                     [&](const Node& node) { return select.matches(node); })) {
      throw Error({.where = fmt::format("{}: rule {}", recipe_.name, i + 1),
                   .what = fmt::format("{} selects nothing of the program", select.text()),
                   .hint = "`torquant inspect PROGRAM --layers` lists modules and operators"});
    }
  }

  decisions_.clear();
  std::set<std::string> schemes;
  for (const Node& node : program.graph()) {
    Decision decision = decide(node);
    decision.served = decision.scheme != kFloatScheme && xnnpack_serves(node.op());
    if (decision.scheme == kFloatScheme) {
      annotations.refuse(&node, "left in float by " + decision.source);
    } else {
      schemes.insert(decision.scheme);
    }
    decisions_.emplace(node.name(), std::move(decision));
  }
  for (const std::string& scheme : schemes) {
    XNNPACKQuantizer quantizer;
    quantizer.set_global(config_of(scheme));
    // One scheme needs no filter, and so leaves no reason "filter" behind.
    const bool everything = schemes.size() == 1 && std::ranges::all_of(decisions_, [&](const auto& entry) {
                              return entry.second.scheme == scheme;
                            });
    if (!everything) {
      quantizer.set_filter_function([&](const Node& node) { return decisions_.at(node.name()).scheme == scheme; });
    }
    quantizer.annotate(program, annotations);
  }
}

const RecipeQuantizer::Decision* RecipeQuantizer::decision(const std::string& node_name) const {
  const auto found = decisions_.find(node_name);
  return found == decisions_.end() ? nullptr : &found->second;
}

}  // namespace torquant
