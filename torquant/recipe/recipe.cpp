#include "torquant/recipe/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "torquant/core/closest_name.h"
#include "torquant/core/error.h"

namespace torquant {
namespace {

void check_scheme(const std::string& where, const std::string& scheme) {
  if (find_scheme(scheme) != nullptr) return;
  throw Error({.where = where,
               .what = fmt::format("unknown scheme \"{}\"", scheme),
               .allowed = fmt::format("{}", fmt::join(scheme_names(), ", ")),
               .hint = did_you_mean(scheme, scheme_names())});
}

}  // namespace

void check_recipe(const Recipe& recipe) {
  check_scheme(recipe.name + ": scheme", recipe.scheme);
  bool all_float = recipe.scheme == kFloatScheme;
  for (size_t i = 0; i < recipe.rules.size(); ++i) {
    const std::string where = fmt::format("{}: rule {}", recipe.name, i + 1);
    recipe.rules[i].select.check(where + ": select");
    check_scheme(where + ": scheme", recipe.rules[i].scheme);
    all_float = all_float && recipe.rules[i].scheme == kFloatScheme;
  }
  if (!all_float) return;
  throw Error({.where = recipe.name,
               .what = "leaves everything in float",
               .hint = "name a scheme at the top, or in a rule: \"scheme\": \"xnnpack-static\""});
}

std::string rule_text(const Recipe& recipe, size_t rule) {
  return fmt::format("rule {} ({})", rule + 1, recipe.rules[rule].select.text());
}

std::unordered_map<const Node*, size_t> deciding_rules(const Recipe& recipe, const Program& program) {
  std::unordered_map<const Node*, size_t> rule_of;
  for (size_t i = 0; i < recipe.rules.size(); ++i) {
    const Selector& select = recipe.rules[i].select;
    const std::string where = fmt::format("{}: rule {}", recipe.name, i + 1);
    std::vector<const Node*> nodes;
    try {
      nodes = select.select(program);
    } catch (const Error& error) {
      throw error.within(where);
    }
    if (nodes.empty()) {
      const std::string why = why_nothing(select, program);
      throw Error({.where = where,
                   .what = fmt::format("{} selects nothing of the program", select.text()),
                   .hint = fmt::format("{}{}`torquant inspect PROGRAM --layers` lists modules and operators", why,
                                       why.empty() ? "" : "; ")});
    }
    for (const Node* node : nodes) rule_of[node] = i;
  }
  return rule_of;
}

}  // namespace torquant
