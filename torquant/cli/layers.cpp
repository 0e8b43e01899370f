#include "torquant/cli/layers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "torquant/cli/output.h"
#include "torquant/core/error.h"

namespace torquant::cli {
namespace {

std::string name_of(const LayerReport& layer) {
  return layer.module_path.empty() ? "%" + layer.node : layer.module_path;
}

std::string source_of(const LayerReport& layer, const RecipeQuantizer& quantizer) {
  const RecipeQuantizer::Decision* decision = quantizer.decision(layer.node);
  return decision == nullptr ? "" : decision->source;
}

}  // namespace

std::vector<const LayerReport*> shortfall(const QuantizationReport& report, const RecipeQuantizer& quantizer) {
  std::vector<const LayerReport*> layers;
  for (const LayerReport& layer : report.layers) {
    const RecipeQuantizer::Decision* decision = quantizer.decision(layer.node);
    if (!layer.quantized && decision != nullptr && decision->served) layers.push_back(&layer);
  }
  return layers;
}

void refuse_shortfall(const std::string& program, const std::vector<const LayerReport*>& layers) {
  if (layers.empty()) return;
  constexpr size_t kShown = 10;
  std::vector<std::string> lines;
  for (size_t i = 0; i < std::min(layers.size(), kShown); ++i) {
    lines.push_back(
        fmt::format("{} (%{}, {}): {}", name_of(*layers[i]), layers[i]->node, layers[i]->op, layers[i]->reason));
  }
  if (layers.size() > kShown) lines.push_back(fmt::format("… and {} more", layers.size() - kShown));
  throw Error(
      {.where = program,
       .what = fmt::format("{} of the layers asked for would stay in float:\n    {}", layers.size(),
                           fmt::join(lines, "\n    ")),
       .hint = "--allow-partial quantizes the rest, or add a rule with \"scheme\": \"float\" for each to the recipe"});
}

void print_layers(const QuantizationReport& report, const RecipeQuantizer& quantizer) {
  std::vector<std::vector<std::string>> rows = {{"layer", "operator", "by", "becomes", "float bytes", "MACs"}};
  for (const LayerReport& layer : report.layers) {
    rows.push_back({name_of(layer), layer.op, source_of(layer, quantizer),
                    layer.quantized ? layer.scheme : "float: " + layer.reason, with_commas(layer.weight_bytes),
                    layer.macs > 0 ? with_commas(layer.macs) : "?"});
  }
  print_table(rows);
}

void print_rules(const RecipeQuantizer& quantizer) {
  const Recipe& recipe = quantizer.recipe();
  const std::vector<size_t> decided = quantizer.decided_by_rule();
  for (size_t i = 0; i < recipe.rules.size(); ++i) {
    fmt::print("{} → {}: {}\n", rule_text(recipe, i), recipe.rules[i].scheme,
               decided[i] == 0 ? "nothing, later rules take all that it selects" : fmt::format("{} nodes", decided[i]));
  }
}

std::string summary(const QuantizationReport& report) {
  return fmt::format("{} of {} layers, {:.1f} % of their weight bytes, {:.1f} % of their multiply-accumulates",
                     report.quantized_layers(), report.layers.size(), report.percent_of_weight_bytes(),
                     report.percent_of_macs());
}

nlohmann::ordered_json to_json(const QuantizationReport& report, const RecipeQuantizer& quantizer) {
  auto layers = nlohmann::ordered_json::array();
  for (const LayerReport& layer : report.layers) {
    nlohmann::ordered_json row = {{"module", layer.module_path},
                                  {"node", layer.node},
                                  {"op", layer.op},
                                  {"decided_by", source_of(layer, quantizer)},
                                  {"quantized", layer.quantized}};
    row[layer.quantized ? "scheme" : "reason"] = layer.quantized ? layer.scheme : layer.reason;
    row["float_bytes"] = layer.weight_bytes;
    row["macs"] = layer.macs;
    layers.push_back(std::move(row));
  }
  auto rules = nlohmann::ordered_json::array();
  const Recipe& recipe = quantizer.recipe();
  const std::vector<size_t> decided = quantizer.decided_by_rule();
  for (size_t i = 0; i < recipe.rules.size(); ++i) {
    rules.push_back({{"rule", i + 1},
                     {"select", recipe.rules[i].select.text()},
                     {"scheme", recipe.rules[i].scheme},
                     {"nodes", decided[i]}});
  }
  auto refusals = nlohmann::ordered_json::array();
  for (const Refusal& refusal : report.refusals)
    refusals.push_back({{"node", refusal.node}, {"reason", refusal.reason}});
  return {{"quantized_layers", report.quantized_layers()},
          {"all_layers", report.layers.size()},
          {"percent_of_weight_bytes", report.percent_of_weight_bytes()},
          {"percent_of_macs", report.percent_of_macs()},
          {"rules", std::move(rules)},
          {"layers", std::move(layers)},
          {"refusals", std::move(refusals)}};
}

}  // namespace torquant::cli
