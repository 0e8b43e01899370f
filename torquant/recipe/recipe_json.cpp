#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "torquant/core/closest_name.h"
#include "torquant/core/error.h"
#include "torquant/recipe/recipe.h"
#include "torquant/recipe/recipe_fields.h"

namespace torquant {
namespace {

using Json = nlohmann::ordered_json;

// A recipe is four levels deep; what goes on and on is no recipe.
constexpr int kDeepest = 16;

std::string shown(const Json& value) {
  constexpr size_t kMost = 60;
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > kMost ? text.substr(0, kMost) + " …" : text;
}

// Refuses a name given twice in one object, of which the parser would drop one, and bottomless nesting.
class Watch {
 public:
  explicit Watch(const std::string& name) : name_(name) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kDeepest) {
      throw Error({.where = name_, .what = fmt::format("is nested more than {} levels deep", kDeepest)});
    }
    if (event == Json::parse_event_t::object_start) keys_.emplace_back();
    if (event == Json::parse_event_t::object_end) keys_.pop_back();
    if (event == Json::parse_event_t::key && !keys_.back().insert(parsed.get<std::string>()).second) {
      throw Error({.where = name_, .what = fmt::format("{} stands twice in one object", shown(parsed))});
    }
    return true;
  }

 private:
  const std::string& name_;
  std::vector<std::set<std::string>> keys_;
};

Json parse_json(const std::string& name, const std::string& text) {
  try {
    return Json::parse(text, Watch(name), /*allow_exceptions=*/true, /*ignore_comments=*/true);
  } catch (const Json::exception& error) {
    const std::string what = error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: …"
    const size_t code_end = what.find("] ");
    throw Error({.where = name,
                 .what = fmt::format("is no JSON: {}", code_end == what.npos ? what : what.substr(code_end + 2))});
  }
}

void check_object(const std::string& where, const Json& json, std::span<const RecipeField> fields) {
  if (!json.is_object()) {
    throw Error({.where = where, .what = shown(json) + " is no object", .allowed = "{…}"});
  }
  std::vector<std::string> names;
  for (const RecipeField& field : fields) names.emplace_back(field.name);
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(names, key) != names.end()) continue;
    throw Error({.where = where,
                 .what = fmt::format("unknown entry {}", shown(key)),
                 .allowed = fmt::format("{}", fmt::join(names, ", ")),
                 .hint = did_you_mean(key, names)});
  }
  for (const RecipeField& field : fields) {
    if (field.required && !json.contains(field.name)) {
      throw Error({.where = where, .what = fmt::format("has no \"{}\"", field.name)});
    }
  }
}

std::string text_of(const std::string& where, const Json& json) {
  if (!json.is_string()) throw Error({.where = where, .what = shown(json) + " is no text", .allowed = "\"…\""});
  return json.get<std::string>();
}

const Json& list_of(const std::string& where, const Json& json) {
  if (!json.is_array()) throw Error({.where = where, .what = shown(json) + " is no list", .allowed = "[…]"});
  return json;
}

const Json& filled_list_of(const std::string& where, const Json& json) {
  if (list_of(where, json).empty()) throw Error({.where = where, .what = "is empty"});
  return json;
}

int64_t integer_of(const std::string& where, const Json& json) {
  constexpr int64_t kMost = 1'000'000'000;
  const bool fits = json.is_number_unsigned() ? json.get<uint64_t>() <= uint64_t{kMost}
                                              : json.is_number_integer() && json.get<int64_t>() >= -kMost;
  if (!fits) {
    throw Error({.where = where,
                 .what = shown(json) + " is no layer's number",
                 .allowed = fmt::format("whole numbers from {} to {}", -kMost, kMost)});
  }
  return json.get<int64_t>();
}

Selector selector_of(const std::string& where, const Json& json) {
  check_object(where, json, kSelectFields);
  const auto place = [&](const char* key) { return fmt::format("{}.{}", where, key); };
  const auto pattern = [&](const char* key) {
    return json.contains(key) ? std::optional(text_of(place(key), json[key])) : std::nullopt;
  };
  Selector selector = {.module = pattern("module"),
                       .module_type = pattern("module_type"),
                       .op = pattern("op"),
                       .parameter = pattern("parameter")};
  if (json.contains("weight_shape")) {
    for (const Json& size : filled_list_of(place("weight_shape"), json["weight_shape"])) {
      selector.weight_shape.push_back(size.is_string() ? size.get<std::string>() : shown(size));
    }
  }
  if (json.contains("index")) {
    const Json& index = json["index"];
    if (index.is_number()) {
      selector.index = {integer_of(place("index"), index)};
    } else {
      for (const Json& one : filled_list_of(place("index"), index)) {
        selector.index.push_back(integer_of(place("index"), one));
      }
    }
  }
  return selector;
}

Json to_json(const Selector& selector) {
  Json json = Json::object();
  if (selector.module) json["module"] = *selector.module;
  if (selector.module_type) json["module_type"] = *selector.module_type;
  if (selector.op) json["op"] = *selector.op;
  if (selector.parameter) json["parameter"] = *selector.parameter;
  if (!selector.weight_shape.empty()) json["weight_shape"] = selector.weight_shape;
  if (!selector.index.empty()) json["index"] = selector.index;
  return json;
}

}  // namespace

Recipe parse_recipe(const std::string& name, const std::string& text) {
  const Json json = parse_json(name, text);
  check_object(name, json, kRecipeFields);
  if (json.contains("$schema")) text_of(name + ": $schema", json["$schema"]);
  Recipe recipe = {.name = name};
  if (json.contains("scheme")) recipe.scheme = text_of(name + ": scheme", json["scheme"]);
  if (json.contains("rules")) {
    const Json& rules = list_of(name + ": rules", json["rules"]);
    for (size_t i = 0; i < rules.size(); ++i) {
      const std::string where = fmt::format("{}: rule {}", name, i + 1);
      check_object(where, rules[i], kRuleFields);
      recipe.rules.push_back({.select = selector_of(where + ": select", rules[i]["select"]),
                              .scheme = text_of(where + ": scheme", rules[i]["scheme"])});
    }
  }
  check_recipe(recipe);
  return recipe;
}

Recipe load_recipe(const std::string& name_or_path) {
  const std::vector<std::string> built_in = built_in_recipes();
  if (std::ranges::find(built_in, name_or_path) != built_in.end()) {
    return {.name = name_or_path, .scheme = name_or_path};
  }
  std::ifstream file(name_or_path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.good() && !file.eof()) {
    const std::string question = did_you_mean(name_or_path, built_in);
    throw Error({.where = name_or_path,
                 .what = fmt::format("is no built-in recipe, and as a file it cannot be read: {}", strerror(errno)),
                 .allowed = fmt::format("{}, or a JSON file", fmt::join(built_in, ", ")),
                 .hint = question.empty() ? "`torquant recipes` lists what each one does" : question});
  }
  return parse_recipe(name_or_path, text);
}

std::string recipe_text(const Recipe& recipe) {
  const Scheme* scheme = find_scheme(recipe.scheme);
  std::string rules;
  for (const Rule& rule : recipe.rules) {
    const Json json = {{"select", to_json(rule.select)}, {"scheme", rule.scheme}};
    rules += fmt::format("{}    {}", rules.empty() ? "" : ",\n", json.dump());
  }
  return fmt::format(
      "{{\n"
      "  // {}; for {}.\n"
      "  \"scheme\": \"{}\",\n"
      "  // Of several rules that select a layer the last one wins. To leave the first and the last layer in float:\n"
      "  //   {{\"select\": {{\"index\": [0, -1]}}, \"scheme\": \"float\"}}\n"
      "  \"rules\": [{}]\n"
      "}}\n",
      scheme->summary, scheme->backend, recipe.scheme, rules.empty() ? "" : "\n" + rules + "\n  ");
}

}  // namespace torquant
