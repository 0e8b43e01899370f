#include "torquant/recipe/recipe.h"

#include <gtest/gtest.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

std::string error_of(const std::string& text) {
  try {
    parse_recipe(text, "r.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Recipe, ReadsBaseSchemeAndRules) {
  const Recipe recipe = parse_recipe(R"({
    "base": "xnnpack-static",  // comments are allowed
    "scheme": "int8-static-per-tensor",
    /* of any kind */
    "rules": [{"select": {"module": "head"}, "scheme": "float"},
              {"select": {"op": "aten.conv2d"}, "scheme": {"is_per_channel": true, "weight_qmin": -8, "weight_qmax": 7}}]
  })",
                                     "r.json");
  EXPECT_EQ(recipe.quantizer, "XNNPACKQuantizer");
  EXPECT_FALSE(recipe.scheme.is_per_channel);
  ASSERT_EQ(recipe.rules.size(), 2);
  EXPECT_TRUE(recipe.rules[0].scheme.is_float);
  EXPECT_EQ(recipe.rules[0].select.module, "head");
  EXPECT_EQ(recipe.rules[1].scheme.weight_qmin, -8);
  EXPECT_EQ(recipe.rules[1].where, "r.json: rules[1]");
}

TEST(Recipe, BuiltInsHaveNames) {
  EXPECT_TRUE(load_recipe("xnnpack-static").scheme.is_per_channel);
  EXPECT_FALSE(load_recipe("xnnpack-static-per-tensor").scheme.is_per_channel);
}

TEST(Recipe, ErrorsNamePlaceValueAndWhatIsAllowed) {
  EXPECT_EQ(error_of(R"({"base": "xnnpak"})"),
            "r.json: unknown base \"xnnpak\"\n  allowed here: xnnpack-static, xnnpack-static-per-tensor");
  EXPECT_EQ(error_of(R"({"base": "xnnpack-static", "rulez": []})"),
            "r.json: unknown key \"rulez\"\n  allowed here: base, name, description, scheme, rules");
  EXPECT_EQ(error_of(R"({"base": "xnnpack-static", "rules": [{"select": {}, "scheme": "int4"}]})"),
            "r.json: rules[0].scheme: unknown scheme \"int4\"\n"
            "  allowed here: float, int8-static, int8-static-per-tensor");
  EXPECT_EQ(error_of(R"({"base": "xnnpack-static", "rules": [{"scheme": "float"}]})"),
            "r.json: rules[0]: \"select\" is missing");
  EXPECT_EQ(error_of(R"({"base": "xnnpack-static", "scheme": {"act_qmin": -500}})"),
            "r.json: scheme: \"act_qmin\" is -500\n  allowed here: an integer from -128 to 127: the codes are int8");
  EXPECT_NE(error_of(R"({"base": "xnnpack-static", "rules": [{"select": {"module": "re:["}, "scheme": "float"}]})")
                .find("r.json: rules[0]: selector: regular expression \"[\""),
            std::string::npos);
  EXPECT_NE(error_of("{").find("r.json: is no JSON"), std::string::npos);
  EXPECT_NE(error_of("[1]").find("r.json: [1] is no object"), std::string::npos);
}

TEST(Recipe, AMissingFileListsTheBuiltIns) {
  try {
    load_recipe("no-such-file.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("xnnpack-static-per-tensor"), std::string::npos);
  }
}

}  // namespace
}  // namespace torquant
