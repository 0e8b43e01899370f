#include "torquant/recipe/recipe_schema.h"

#include <nlohmann/json.hpp>
#include <span>

#include "torquant/recipe/recipe_fields.h"
#include "torquant/recipe/scheme.h"
#include "torquant/recipe/size_condition.h"

namespace torquant {
namespace {

using Json = nlohmann::ordered_json;

Json reference(const char* name) { return {{"$ref", std::string("#/$defs/") + name}}; }

Json schema_of(RecipeField::Kind kind) {
  switch (kind) {
    case RecipeField::Kind::kScheme:
      return reference("scheme");
    case RecipeField::Kind::kRules:
      return {{"type", "array"}, {"items", reference("rule")}};
    case RecipeField::Kind::kSelect:
      return reference("select");
    case RecipeField::Kind::kPattern:
      return reference("pattern");
    case RecipeField::Kind::kShape:
      return {{"type", "array"}, {"minItems", 1}, {"items", reference("size")}};
    case RecipeField::Kind::kIndex:
      return {
          {"oneOf", {{{"type", "integer"}}, {{"type", "array"}, {"minItems", 1}, {"items", {{"type", "integer"}}}}}}};
    case RecipeField::Kind::kText:
      return {{"type", "string"}};
  }
  return {};
}

Json object_of(std::span<const RecipeField> fields) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const RecipeField& field : fields) {
    properties[field.name] = schema_of(field.kind);
    properties[field.name]["description"] = field.description;
    if (field.required) required.push_back(field.name);
  }
  Json object = {{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  if (!required.empty()) object["required"] = std::move(required);
  return object;
}

Json schemes_json() {
  Json choices = Json::array();
  for (const Scheme& scheme : schemes()) {
    choices.push_back({{"const", scheme.name}, {"description", scheme.summary + "; for " + scheme.backend}});
  }
  return {{"oneOf", std::move(choices)}};
}

}  // namespace

std::string recipe_schema() {
  const Json quantizes = {{"required", {"scheme"}}, {"properties", {{"scheme", {{"not", {{"const", kFloatScheme}}}}}}}};
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "A recipe of Torquant"}};
  schema.update(object_of(kRecipeFields));
  schema["anyOf"] = {quantizes, {{"required", {"rules"}}, {"properties", {{"rules", {{"contains", quantizes}}}}}}};
  Json select = object_of(kSelectFields);
  select["minProperties"] = 1;
  schema["$defs"] = {
      {"scheme", schemes_json()},
      {"rule", object_of(kRuleFields)},
      {"select", std::move(select)},
      {"pattern",
       {{"description", "An exact name, a glob (* and ? stand for any characters), or a regular expression behind re:"},
        {"type", "string"},
        {"minLength", 1}}},
      {"size",
       {{"oneOf",
         {{{"type", "integer"}, {"minimum", 0}},
          {{"type", "string"}, {"pattern", kSizeConditionPattern}},
          {{"const", kMoreAxes}}}}}}};
  return schema.dump(2) + "\n";
}

}  // namespace torquant
