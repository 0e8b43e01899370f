#include "torquant/recipe/recipe.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"

namespace torquant {
namespace {

std::string parse_error(const std::string& json) {
  return error_text([&] { parse_recipe("r.json", json); });
}

TEST(Recipe, BuiltInOnesAreSchemesForEverything) {
  EXPECT_EQ(load_recipe("xnnpack-static").scheme, "xnnpack-static");
  EXPECT_EQ(load_recipe("xnnpack-static-per-tensor").scheme, "xnnpack-static-per-tensor");
  EXPECT_TRUE(load_recipe("xnnpack-static").rules.empty());
}

TEST(Recipe, FilesMayHoldCommentsAndRules) {
  const TempFolder folder;
  const std::string path = folder.write("r.json", R"({
    // everything
    "scheme": "xnnpack-static", /* but */
    "rules": [
      {"select": {"module": "head.*", "op": "aten.linear.default"}, "scheme": "float"},
      {"select": {"module_type": "Conv2d"}, "scheme": "xnnpack-static-per-tensor"}
    ]})");
  const Recipe recipe = load_recipe(path);
  EXPECT_EQ(recipe.name, path);
  EXPECT_EQ(recipe.scheme, "xnnpack-static");
  ASSERT_EQ(recipe.rules.size(), 2U);
  EXPECT_EQ(recipe.rules[0].select.text(), "module head.*, op aten.linear.default");
  EXPECT_EQ(recipe.rules[0].scheme, "float");
  EXPECT_EQ(recipe.rules[1].select.module_type, "Conv2d");
}

TEST(Recipe, WithoutASchemeOnlyTheRulesQuantize) {
  const Recipe recipe =
      parse_recipe("r.json", R"({"rules": [{"select": {"module": "a"}, "scheme": "xnnpack-static"}]})");
  EXPECT_EQ(recipe.scheme, "float");
}

TEST(Recipe, RefusesWhatIsNoRecipe) {
  EXPECT_EQ(
      error_text([] { load_recipe("int7-magic"); }),
      "int7-magic: is no built-in recipe, and as a file it cannot be read: No such file or directory\n"
      "  allowed here: xnnpack-static, xnnpack-static-per-tensor, x86-static, x86-static-reduce-range, arm-static, "
      "or a JSON file");
  EXPECT_TRUE(parse_error("{").starts_with("r.json: is no JSON: "));
  EXPECT_EQ(parse_error("[1]"), "r.json: [1] is no object");
  EXPECT_EQ(parse_error(R"({"schema": 1})"), "r.json: unknown entry \"schema\"\n  allowed here: scheme, rules");
  EXPECT_EQ(parse_error(R"({"scheme": 8})"), "r.json: scheme: 8 is no text");
  EXPECT_EQ(
      parse_error(R"({"scheme": "int7"})"),
      "r.json: scheme: unknown scheme \"int7\"\n"
      "  allowed here: xnnpack-static, xnnpack-static-per-tensor, x86-static, x86-static-reduce-range, arm-static, "
      "float");
  EXPECT_EQ(parse_error("{}"),
            "r.json: leaves everything in float\n"
            "  to go on: name a scheme at the top, or in a rule: \"scheme\": \"xnnpack-static\"");
}

TEST(Recipe, RefusesWhatIsNestedOrLongToQuote) {
  EXPECT_EQ(parse_error(std::string(100'000, '[')), "r.json: is nested too deeply for a recipe");
  EXPECT_EQ(parse_error("[\"" + std::string(1000, 'x') + "\"]"),
            "r.json: [\"" + std::string(118, 'x') + "… is no object");
}

TEST(Recipe, RefusesWhatIsNoRule) {
  const auto rule_error = [](const std::string& rules) {
    return parse_error(R"({"scheme": "xnnpack-static", "rules": )" + rules + "}");
  };
  EXPECT_EQ(rule_error("{}"), "r.json: rules: {} is no list");
  EXPECT_EQ(rule_error(R"([{"select": {"op": "a"}}])"), "r.json: rule 1: has no \"scheme\"");
  EXPECT_EQ(rule_error(R"([{"scheme": "float"}])"), "r.json: rule 1: has no \"select\"");
  EXPECT_EQ(rule_error(R"([{"select": {}, "scheme": "float"}])"),
            "r.json: rule 1: select: selects nothing\n  allowed here: module, module_type, op");
  EXPECT_EQ(rule_error(R"([{"select": {"shape": 1}, "scheme": "float"}])"),
            "r.json: rule 1: select: unknown entry \"shape\"\n  allowed here: module, module_type, op");
  EXPECT_EQ(rule_error(R"([{"select": {"op": 3}, "scheme": "float"}])"), "r.json: rule 1: select.op: 3 is no text");
  EXPECT_TRUE(rule_error(R"([{"select": {"op": "re:("}, "scheme": "float"}])")
                  .starts_with("r.json: rule 1: select.op: \"re:(\" is no regular expression: "));
}

}  // namespace
}  // namespace torquant
