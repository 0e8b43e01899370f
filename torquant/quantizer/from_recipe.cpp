#include "torquant/quantizer/from_recipe.h"

#include <fmt/format.h>

#include "torquant/core/error.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

XNNPACKQuantizer::Config xnnpack_config(const Scheme& scheme) {
  if (scheme.is_float) return std::nullopt;
  return get_symmetric_quantization_config({.is_per_channel = scheme.is_per_channel,
                                            .act_qmin = scheme.act_qmin,
                                            .act_qmax = scheme.act_qmax,
                                            .weight_qmin = scheme.weight_qmin,
                                            .weight_qmax = scheme.weight_qmax});
}

}  // namespace

std::unique_ptr<Quantizer> make_quantizer(const Recipe& recipe) {
  if (recipe.quantizer != "XNNPACKQuantizer") {
    throw Error({.where = "recipe " + recipe.name,
                 .what = fmt::format("unknown quantizer {}", recipe.quantizer),
                 .allowed = "XNNPACKQuantizer"});
  }
  auto quantizer = std::make_unique<XNNPACKQuantizer>();
  quantizer->set_global(xnnpack_config(recipe.scheme));
  for (const RecipeRule& rule : recipe.rules) {
    quantizer->add_rule(
        fmt::format("{} ({})", rule.where, rule.select.text()),
        [select = rule.select](const Node& node) { return select.matches(node); }, xnnpack_config(rule.scheme));
  }
  return quantizer;
}

}  // namespace torquant
