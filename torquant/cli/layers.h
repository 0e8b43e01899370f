#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "torquant/pt2e/report.h"
#include "torquant/quantizer/recipe_quantizer.h"

namespace torquant::cli {

// Layers that the recipe asks to quantize, of a kind its scheme serves, and that stay in float all the same.
std::vector<const LayerReport*> shortfall(const QuantizationReport& report, const RecipeQuantizer& quantizer);

// Throws Error naming them, unless there are none.
void refuse_shortfall(const std::string& program, const std::vector<const LayerReport*>& layers);

// One row a layer: what decided, scheme or reason, bytes.
void print_layers(const QuantizationReport& report, const RecipeQuantizer& quantizer);
// One line a rule of the recipe: what it selects, what becomes of it, over how many nodes it decided.
void print_rules(const RecipeQuantizer& quantizer);
// "21 of 22 layers, 99.8 % of their weight bytes, 100.0 % of their multiply-accumulates"
std::string summary(const QuantizationReport& report);

nlohmann::ordered_json to_json(const QuantizationReport& report, const RecipeQuantizer& quantizer);

}  // namespace torquant::cli
