#include "torquant/recipe/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "torquant/core/error.h"

namespace torquant {
namespace {

using Json = nlohmann::json;

std::string quote(const Json& json) {
  const std::string text = json.dump();
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

void check_keys(const Json& json, const std::vector<std::string>& allowed, const std::string& where) {
  if (!json.is_object()) throw Error({.where = where, .what = fmt::format("{} is no object", quote(json))});
  for (const auto& [key, value] : json.items()) {
    if (std::find(allowed.begin(), allowed.end(), key) != allowed.end()) continue;
    throw Error({.where = where,
                 .what = fmt::format("unknown key \"{}\"", key),
                 .allowed = fmt::format("{}", fmt::join(allowed, ", "))});
  }
}

std::string string_or(const Json& json, const char* key, std::string fallback, const std::string& where) {
  if (!json.contains(key)) return fallback;
  if (json[key].is_string()) return json[key].get<std::string>();
  throw Error({.where = where, .what = fmt::format("\"{}\" is {}", key, quote(json[key])), .allowed = "a string"});
}

int64_t int_or(const Json& json, const char* key, int64_t fallback, const std::string& where) {
  if (!json.contains(key)) return fallback;
  constexpr int64_t kMin = -128;
  constexpr int64_t kMax = 127;
  if (json[key].is_number_integer()) {
    const auto value = json[key].get<int64_t>();
    if (value >= kMin && value <= kMax) return value;
  }
  throw Error({.where = where,
               .what = fmt::format("\"{}\" is {}", key, quote(json[key])),
               .allowed = "an integer from -128 to 127: the codes are int8"});
}

constexpr const char* kSchemeNames = "float, int8-static, int8-static-per-tensor";

Scheme parse_scheme(const Json& json, const std::string& where) {
  if (json.is_string()) {
    const std::string name = json.get<std::string>();
    if (name == "float") return {.is_float = true};
    if (name == "int8-static") return {.is_per_channel = true};
    if (name == "int8-static-per-tensor") return {.is_per_channel = false};
    throw Error({.where = where, .what = fmt::format("unknown scheme \"{}\"", name), .allowed = kSchemeNames});
  }
  check_keys(json, {"is_per_channel", "act_qmin", "act_qmax", "weight_qmin", "weight_qmax"}, where);
  Scheme scheme;
  if (json.contains("is_per_channel")) {
    if (!json["is_per_channel"].is_boolean()) {
      throw Error({.where = where,
                   .what = fmt::format("\"is_per_channel\" is {}", quote(json["is_per_channel"])),
                   .allowed = "true, false"});
    }
    scheme.is_per_channel = json["is_per_channel"];
  }
  scheme.act_qmin = int_or(json, "act_qmin", scheme.act_qmin, where);
  scheme.act_qmax = int_or(json, "act_qmax", scheme.act_qmax, where);
  scheme.weight_qmin = int_or(json, "weight_qmin", scheme.weight_qmin, where);
  scheme.weight_qmax = int_or(json, "weight_qmax", scheme.weight_qmax, where);
  return scheme;
}

RecipeRule parse_rule(const Json& json, const std::string& where) {
  check_keys(json, {"select", "scheme"}, where);
  for (const char* key : {"select", "scheme"}) {
    if (!json.contains(key)) throw Error({.where = where, .what = fmt::format("\"{}\" is missing", key)});
  }
  const Json& select = json["select"];
  check_keys(select, {"module", "module_type", "op"}, where + ".select");
  RecipeRule rule{.select = {.module = string_or(select, "module", "", where + ".select"),
                             .module_type = string_or(select, "module_type", "", where + ".select"),
                             .op = string_or(select, "op", "", where + ".select")},
                  .scheme = parse_scheme(json["scheme"], where + ".scheme"),
                  .where = where};
  for (const std::string& pattern : {rule.select.module, rule.select.module_type}) {
    try {
      fits_pattern(pattern, "");
    } catch (const Error& error) {
      throw error.within(where);
    }
  }
  return rule;
}

const Recipe* find_builtin(const std::string& name) {
  for (const Recipe& recipe : builtin_recipes()) {
    if (recipe.name == name) return &recipe;
  }
  return nullptr;
}

std::string builtin_names() {
  std::vector<std::string> names;
  for (const Recipe& recipe : builtin_recipes()) names.push_back(recipe.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

const std::vector<Recipe>& builtin_recipes() {
  static const std::vector<Recipe> recipes = {
      {.name = "xnnpack-static",
       .quantizer = "XNNPACKQuantizer",
       .description = "int8 weights per output channel, int8 activations under histogram observers; as torchao's "
                      "XNNPACKQuantizer",
       .scheme = {.is_per_channel = true}},
      {.name = "xnnpack-static-per-tensor",
       .quantizer = "XNNPACKQuantizer",
       .description = "the same with one scale for each weight: smaller still, often less accurate",
       .scheme = {.is_per_channel = false}},
  };
  return recipes;
}

Recipe parse_recipe(const std::string& text, const std::string& where) {
  Json json;
  try {
    json = Json::parse(text, nullptr, /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const Json::exception& error) {
    throw Error({.where = where, .what = fmt::format("is no JSON: {}", error.what())});
  }
  check_keys(json, {"base", "name", "description", "scheme", "rules"}, where);
  const std::string base = string_or(json, "base", "", where);
  const Recipe* builtin = find_builtin(base);
  if (builtin == nullptr) {
    throw Error({.where = where,
                 .what = base.empty() ? "\"base\" is missing" : fmt::format("unknown base \"{}\"", base),
                 .allowed = builtin_names()});
  }
  Recipe recipe = *builtin;
  recipe.name = string_or(json, "name", where, where);
  recipe.description = string_or(json, "description", "", where);
  if (json.contains("scheme")) recipe.scheme = parse_scheme(json["scheme"], where + ": scheme");
  if (json.contains("rules")) {
    if (!json["rules"].is_array()) {
      throw Error({.where = where, .what = fmt::format("\"rules\" is {}", quote(json["rules"])), .allowed = "a list"});
    }
    for (const Json& rule : json["rules"]) {
      recipe.rules.push_back(parse_rule(rule, fmt::format("{}: rules[{}]", where, recipe.rules.size())));
    }
  }
  return recipe;
}

Recipe load_recipe(const std::string& name_or_path) {
  if (const Recipe* builtin = find_builtin(name_or_path)) return *builtin;
  std::ifstream file(name_or_path);
  if (!file) {
    throw Error({.where = "recipe \"" + name_or_path + "\"",
                 .what = "is neither a built-in recipe nor a file that can be read",
                 .allowed = builtin_names() + ", or the path of a recipe file"});
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse_recipe(text.str(), name_or_path);
}

}  // namespace torquant
