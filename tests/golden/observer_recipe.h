#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "torquant/observer/observer_spec.h"

namespace torquant::golden {

// What make_observer is called with.
struct ObserverRecipe {
  ObserverSpec spec;
  ObserverOptions options;
};

// Of an observer or fake quantizer of PyTorch or torchao, by its name and the arguments of its constructor.
ObserverRecipe observer_recipe_of(std::string name, nlohmann::json params);

}  // namespace torquant::golden
