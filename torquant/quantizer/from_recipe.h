#pragma once

#include <memory>

#include "torquant/quantizer/quantizer.h"
#include "torquant/recipe/recipe.h"

namespace torquant {

// The quantizer that does what the recipe says.
std::unique_ptr<Quantizer> make_quantizer(const Recipe& recipe);

}  // namespace torquant
