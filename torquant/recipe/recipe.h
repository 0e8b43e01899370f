#pragma once

#include <string>
#include <vector>

#include "torquant/recipe/selector.h"

namespace torquant {

// The scheme of what is not quantized.
inline constexpr const char* kFloatScheme = "float";

// One rule of a recipe: what is selected gets the scheme.
struct Rule {
  Selector select;
  std::string scheme;  // "xnnpack-static", "float"
};

// What of a program is quantized, and how: a scheme for all of it, and rules for parts. Of several rules that select
// a node the last one wins.
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

// The schemes; each, but float, is a built-in recipe of that name too.
std::vector<std::string> scheme_names();

// `name_or_path`: a built-in recipe, or a JSON file (comments allowed). Throws Error that names the file, the place in
// it, the value and what is allowed.
Recipe load_recipe(const std::string& name_or_path);

// The same from a JSON text; `name` is for messages.
Recipe parse_recipe(const std::string& name, const std::string& json);

}  // namespace torquant
