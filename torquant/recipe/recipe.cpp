#include "torquant/recipe/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "torquant/core/error.h"

namespace torquant {
namespace {

using Json = nlohmann::ordered_json;

// For messages.
std::string shown(const Json& value) {
  constexpr size_t kMost = 120;
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kMost ? text : text.substr(0, kMost) + "…";
}

void check_object(const std::string& where, const Json& json, std::initializer_list<std::string_view> known) {
  if (!json.is_object()) throw Error({.where = where, .what = shown(json) + " is no object"});
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw Error({.where = where,
                   .what = fmt::format("unknown entry \"{}\"", key),
                   .allowed = fmt::format("{}", fmt::join(known, ", "))});
    }
  }
}

std::string string_of(const std::string& where, const Json& json) {
  if (!json.is_string()) throw Error({.where = where, .what = shown(json) + " is no text"});
  return json.get<std::string>();
}

std::string scheme_of(const std::string& where, const Json& json) {
  const std::string scheme = string_of(where, json);
  const std::vector<std::string> names = scheme_names();
  if (std::find(names.begin(), names.end(), scheme) == names.end()) {
    throw Error({.where = where,
                 .what = fmt::format("unknown scheme \"{}\"", scheme),
                 .allowed = fmt::format("{}", fmt::join(names, ", "))});
  }
  return scheme;
}

Selector selector_of(const std::string& where, const Json& json) {
  check_object(where, json, {"module", "module_type", "op"});
  if (json.empty()) throw Error({.where = where, .what = "selects nothing", .allowed = "module, module_type, op"});
  const auto pattern = [&](const char* key) -> std::optional<std::string> {
    if (!json.contains(key)) return std::nullopt;
    std::string text = string_of(fmt::format("{}.{}", where, key), json[key]);
    check_pattern(fmt::format("{}.{}", where, key), text);
    return text;
  };
  return {.module = pattern("module"), .module_type = pattern("module_type"), .op = pattern("op")};
}

}  // namespace

std::vector<std::string> scheme_names() {
  return {"xnnpack-static", "xnnpack-static-per-tensor", "x86-static", "x86-static-reduce-range", "arm-static",
          kFloatScheme};
}

Recipe parse_recipe(const std::string& name, const std::string& text) {
  constexpr int kMaxDepth = 20;  // a recipe needs 4
  const auto check_depth = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > kMaxDepth) throw Error({.where = name, .what = "is nested too deeply for a recipe"});
    return true;
  };
  Json json;
  try {
    json = Json::parse(text, check_depth, /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const Json::exception& error) {
    throw Error({.where = name, .what = fmt::format("is no JSON: {}", error.what())});
  }
  check_object(name, json, {"scheme", "rules"});
  Recipe recipe = {.name = name};
  if (json.contains("scheme")) recipe.scheme = scheme_of(name + ": scheme", json["scheme"]);
  if (json.contains("rules")) {
    const Json& rules = json["rules"];
    if (!rules.is_array()) throw Error({.where = name + ": rules", .what = shown(rules) + " is no list"});
    for (size_t i = 0; i < rules.size(); ++i) {
      const std::string where = fmt::format("{}: rule {}", name, i + 1);
      check_object(where, rules[i], {"select", "scheme"});
      for (const char* key : {"select", "scheme"}) {
        if (!rules[i].contains(key)) throw Error({.where = where, .what = fmt::format("has no \"{}\"", key)});
      }
      recipe.rules.push_back({.select = selector_of(where + ": select", rules[i]["select"]),
                              .scheme = scheme_of(where + ": scheme", rules[i]["scheme"])});
    }
  }
  const bool all_float =
      recipe.scheme == kFloatScheme && std::all_of(recipe.rules.begin(), recipe.rules.end(),
                                                   [](const Rule& rule) { return rule.scheme == kFloatScheme; });
  if (all_float) {
    throw Error({.where = name,
                 .what = "leaves everything in float",
                 .hint = "name a scheme at the top, or in a rule: \"scheme\": \"xnnpack-static\""});
  }
  return recipe;
}

Recipe load_recipe(const std::string& name_or_path) {
  std::vector<std::string> built_in = scheme_names();
  std::erase(built_in, kFloatScheme);
  if (std::find(built_in.begin(), built_in.end(), name_or_path) != built_in.end()) {
    return {.name = name_or_path, .scheme = name_or_path};
  }
  std::ifstream file(name_or_path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.good() && !file.eof()) {
    throw Error({.where = name_or_path,
                 .what = fmt::format("is no built-in recipe, and as a file it cannot be read: {}", strerror(errno)),
                 .allowed = fmt::format("{}, or a JSON file", fmt::join(built_in, ", "))});
  }
  return parse_recipe(name_or_path, text);
}

}  // namespace torquant
