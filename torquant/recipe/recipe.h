#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "torquant/recipe/scheme.h"
#include "torquant/recipe/selector.h"

namespace torquant {

// One rule of a recipe: what is selected gets the scheme.
struct Rule {
  Selector select;
  std::string scheme;  // "xnnpack-static", "float"
};

// What of a program is quantized, and how: a scheme for all of it, and rules for parts. Of several rules that select
// a node the last one wins, and any rule wins over the scheme for all.
//
//   {
//     // Everything, but the head stays in float.
//     "scheme": "xnnpack-static",
//     "rules": [{"select": {"module": "head.*"}, "scheme": "float"}]
//   }
struct Recipe {
  std::string name;  // for messages: a built-in name, or the path of the file
  std::string scheme = kFloatScheme;
  std::vector<Rule> rules = {};
};

// `name_or_path`: a built-in recipe, or a JSON file (comments allowed). Throws Error that names the file, the place in
// it, the value and what is allowed.
Recipe load_recipe(const std::string& name_or_path);

// The same from a JSON text; `name` is for messages.
Recipe parse_recipe(const std::string& name, const std::string& json);

// Throws Error for unknown schemes, malformed selectors, and a recipe that leaves everything in float.
void check_recipe(const Recipe& recipe);

// The recipe as a file, with a word on what it does: to be read again, or edited.
std::string recipe_text(const Recipe& recipe);

// "rule 2 (module head.*)": how reports and errors name a rule.
std::string rule_text(const Recipe& recipe, size_t rule);

// Which rule decides over each node of the program, by its index; nodes that none selects are left to the recipe's
// scheme. Throws Error for a rule that selects nothing.
std::unordered_map<const Node*, size_t> deciding_rules(const Recipe& recipe, const Program& program);

}  // namespace torquant
