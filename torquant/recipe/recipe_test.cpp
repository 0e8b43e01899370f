#include "torquant/recipe/recipe.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "torquant/graph/text.h"

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

TEST(Recipe, EveryKindOfSelectorIsRead) {
  const Recipe recipe = parse_recipe("r.json", R"({"$schema": "recipe.schema.json", "rules": [
    {"select": {"parameter": "a.weight", "weight_shape": [8, "<16", "..."], "index": [0, -1]}, "scheme": "x86-static"},
    {"select": {"index": 3}, "scheme": "float"}]})");
  EXPECT_EQ(rule_text(recipe, 0), "rule 1 (parameter a.weight, weight_shape [8, <16, ...], index 0, -1)");
  EXPECT_EQ(rule_text(recipe, 1), "rule 2 (index 3)");
}

TEST(Recipe, AsTextItReadsBackTheSame) {
  for (const std::string& name : built_in_recipes()) {
    EXPECT_EQ(parse_recipe(name, recipe_text(load_recipe(name))).scheme, name);
  }
  const Recipe recipe = {.name = "r",
                         .scheme = "arm-static",
                         .rules = {{.select = {.module = "a\"b", .weight_shape = {"*", "..."}}, .scheme = "float"},
                                   {.select = {.index = {0, -1}}, .scheme = "x86-static"}}};
  const Recipe again = parse_recipe("r", recipe_text(recipe));
  ASSERT_EQ(again.rules.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(rule_text(again, i), rule_text(recipe, i));
    EXPECT_EQ(again.rules[i].scheme, recipe.rules[i].scheme);
  }
}

// relu(linear(x)): one layer and what follows it.
const char* const kLinearRelu = R"(
  parameter %w : f32[4, 4] = "fc.weight"
  input %x : f32[2, 4]
  %linear : f32[2, 4] = aten.linear.default(input=%x, weight=%w)
  %relu : f32[2, 4] = aten.relu.default(self=%linear)
  return %relu)";

TEST(DecidingRules, TheLastOfThoseThatSelectANode) {
  const Program program = parse_program(kLinearRelu);
  const Recipe recipe = {.name = "r.json",
                         .scheme = "xnnpack-static",
                         .rules = {{.select = {.op = "aten.*"}, .scheme = "float"},
                                   {.select = {.index = {0}}, .scheme = "x86-static"},
                                   {.select = {.op = "aten.linear.*"}, .scheme = "arm-static"}}};
  const auto rules = deciding_rules(recipe, program);
  EXPECT_EQ(rules.at(program.graph().find_node("linear")), 2U);
  EXPECT_EQ(rules.at(program.graph().find_node("relu")), 0U);
}

TEST(DecidingRules, RefusesARuleThatSelectsNothing) {
  const Program program = parse_program(kLinearRelu);
  const auto problem = [&](const Selector& select) {
    return error_text([&] {
      deciding_rules({.name = "r.json", .scheme = "x86-static", .rules = {{.select = select, .scheme = "float"}}},
                     program);
    });
  };
  EXPECT_EQ(problem({.op = "aten.lienar.default"}),
            "r.json: rule 1: op aten.lienar.default selects nothing of the program\n"
            "  to go on: no op of the program is aten.lienar.default; did you mean \"aten.linear.default\"?; "
            "`torquant inspect PROGRAM --layers` lists modules and operators");
  EXPECT_EQ(problem({.op = "aten.relu.default", .weight_shape = {"..."}}),
            "r.json: rule 1: op aten.relu.default, weight_shape [...] selects nothing of the program\n"
            "  to go on: `torquant inspect PROGRAM --layers` lists modules and operators");
  EXPECT_EQ(problem({.index = {1}}),
            "r.json: rule 1: index 1: 1 layers to count\n  allowed here: 0 to 0, or -1 to -1 from the end");
}

TEST(Recipe, RefusesWhatIsNoRecipe) {
  const std::string built_in =
      "int8-static, xnnpack-static, xnnpack-static-per-tensor, x86-static, x86-static-reduce-range, arm-static, "
      "int8-dynamic, xnnpack-dynamic, x86-dynamic, ";
  EXPECT_EQ(error_text([] { load_recipe("int7-magic"); }),
            "int7-magic: is no built-in recipe, and as a file it cannot be read: No such file or directory\n"
            "  allowed here: " +
                built_in + "or a JSON file\n  to go on: `torquant recipes` lists what each one does");
  EXPECT_TRUE(error_text([] { load_recipe("xnpack-static"); }).ends_with("did you mean \"xnnpack-static\"?"));
  EXPECT_EQ(parse_error("{\n  \"scheme\": }"),
            "r.json: is no JSON: parse error at line 2, column 13: syntax error while parsing value - unexpected '}'; "
            "expected '[', '{', or a literal");
  EXPECT_EQ(parse_error("[1]"), "r.json: [1] is no object\n  allowed here: {…}");
  EXPECT_EQ(
      parse_error(R"({"shceme": 1})"),
      "r.json: unknown entry \"shceme\"\n  allowed here: $schema, scheme, rules\n  to go on: did you mean \"scheme\"?");
  EXPECT_EQ(parse_error(R"({"scheme": 8})"), "r.json: scheme: 8 is no text\n  allowed here: \"…\"");
  EXPECT_EQ(parse_error(R"({"scheme": "xnnpack-statik"})"),
            "r.json: scheme: unknown scheme \"xnnpack-statik\"\n  allowed here: " + built_in +
                "float\n  to go on: did you mean \"xnnpack-static\"?");
  EXPECT_EQ(parse_error(R"({"$schema": 1, "scheme": "x86-static"})"),
            "r.json: $schema: 1 is no text\n  allowed here: \"…\"");
  EXPECT_EQ(parse_error(R"({"scheme": "x86-static", "scheme": "float"})"),
            "r.json: \"scheme\" stands twice in one object");
  EXPECT_EQ(parse_error(R"({"rules": )" + std::string(100, '[')), "r.json: is nested more than 16 levels deep");
  EXPECT_TRUE(parse_error("{\"scheme\": 1e999}").starts_with("r.json: is no JSON: "));
  EXPECT_EQ(parse_error("{}"),
            "r.json: leaves everything in float\n"
            "  to go on: name a scheme at the top, or in a rule: \"scheme\": \"xnnpack-static\"");
}

TEST(Recipe, RefusesWhatIsNestedOrLongToQuote) {
  EXPECT_EQ(parse_error(std::string(100'000, '[')), "r.json: is nested more than 16 levels deep");
  EXPECT_EQ(parse_error("[\"" + std::string(1000, 'x') + "\"]"),
            "r.json: [\"" + std::string(58, 'x') + " … is no object\n  allowed here: {…}");
}

TEST(Recipe, RefusesWhatIsNoRule) {
  const auto rule_error = [](const std::string& rules) {
    return parse_error(R"({"scheme": "xnnpack-static", "rules": )" + rules + "}");
  };
  const auto select_error = [&](const std::string& select) {
    return rule_error(R"([{"select": )" + select + R"(, "scheme": "float"}])");
  };
  EXPECT_EQ(rule_error("{}"), "r.json: rules: {} is no list\n  allowed here: […]");
  EXPECT_EQ(rule_error(R"([{"select": {"op": "a"}}])"), "r.json: rule 1: has no \"scheme\"");
  EXPECT_EQ(rule_error(R"([{"scheme": "float"}])"), "r.json: rule 1: has no \"select\"");
  const std::string keys = "\n  allowed here: module, module_type, op, parameter, weight_shape, index";
  EXPECT_EQ(select_error("{}"), "r.json: rule 1: select: selects nothing" + keys);
  EXPECT_EQ(select_error(R"({"modul": "a"})"),
            "r.json: rule 1: select: unknown entry \"modul\"" + keys + "\n  to go on: did you mean \"module\"?");
  EXPECT_EQ(select_error(R"({"op": 3})"), "r.json: rule 1: select.op: 3 is no text\n  allowed here: \"…\"");
  EXPECT_EQ(select_error(R"({"op": ""})"), "r.json: rule 1: select.op: is empty");
  EXPECT_TRUE(
      select_error(R"({"op": "re:("})").starts_with("r.json: rule 1: select.op: \"re:(\" is no regular expression: "));
  EXPECT_EQ(select_error(R"({"weight_shape": []})"), "r.json: rule 1: select.weight_shape: is empty");
  EXPECT_EQ(select_error(R"({"weight_shape": "64"})"),
            "r.json: rule 1: select.weight_shape: \"64\" is no list\n  allowed here: […]");
  EXPECT_TRUE(select_error(R"({"weight_shape": [true]})")
                  .starts_with("r.json: rule 1: select.weight_shape: axis 0: \"true\" is no condition on a size"));
  const std::string numbers = " is no layer's number\n  allowed here: whole numbers from -1000000000 to 1000000000";
  EXPECT_EQ(select_error(R"({"index": 1.5})"), "r.json: rule 1: select.index: 1.5" + numbers);
  EXPECT_EQ(select_error(R"({"index": [0, "last"]})"), "r.json: rule 1: select.index: \"last\"" + numbers);
  EXPECT_EQ(select_error(R"({"index": 18446744073709551615})"),
            "r.json: rule 1: select.index: 18446744073709551615" + numbers);
  EXPECT_EQ(select_error(R"({"index": []})"), "r.json: rule 1: select.index: is empty");
}

}  // namespace
}  // namespace torquant
