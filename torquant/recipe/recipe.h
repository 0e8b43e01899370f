#pragma once

#include <optional>
#include <string>
#include <vector>

#include "torquant/recipe/selector.h"

namespace torquant {

// How the selected operators are quantized.
struct Scheme {
  bool is_float = false;  // not at all
  bool is_per_channel = true;
  int64_t act_qmin = -128;
  int64_t act_qmax = 127;
  int64_t weight_qmin = -127;
  int64_t weight_qmax = 127;
  bool operator==(const Scheme&) const = default;
};

struct RecipeRule {
  Selector select;
  Scheme scheme;
  std::string where;  // for messages: "recipe.json: rules[2]"
};

// What to do with a program, as a value: a quantizer, its scheme, and rules for parts of the program. Of the rules that
// choose a node the last one counts; a node that none chooses gets the recipe's own scheme.
struct Recipe {
  std::string name;
  std::string quantizer;  // "XNNPACKQuantizer"
  std::string description = {};
  Scheme scheme;
  std::vector<RecipeRule> rules = {};
};

// The recipes that have a name, in the order in which they are listed.
const std::vector<Recipe>& builtin_recipes();

// A built-in recipe by its name, or a recipe from a file (docs/recipes.md):
//
//   {
//     "base": "xnnpack-static",                                            // quantizer and scheme
//     "rules": [
//       {"select": {"module": "head"}, "scheme": "float"},                 // stays in float
//       {"select": {"module": "layer4.*", "op": "aten.conv2d"}, "scheme": {"is_per_channel": false}}
//     ]
//   }
//
// Comments are allowed. Throws Error that names file, place, value and what is allowed; an unknown key is one.
Recipe load_recipe(const std::string& name_or_path);
Recipe parse_recipe(const std::string& text, const std::string& where);

}  // namespace torquant
