#include "torquant/quantizer/recipe_quantizer.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

// Two convolutions, the second with a ReLU.
class Recipes : public testing::Test {
 protected:
  Recipes() { net.returns({relu}); }

  RecipeQuantizer annotate(const char* rules) {
    RecipeQuantizer quantizer(parse_recipe("mine", fmt(rules)));
    quantizer.transform_for_annotation(net.program());
    quantizer.annotate(net.program(), annotations);
    return quantizer;
  }
  static std::string fmt(const std::string& rules) {
    return R"({"scheme": "xnnpack-static", "rules": [)" + rules + "]}";
  }
  QScheme weight_scheme(const Value* layer) const {
    const Node* node = layer->producer();
    return options_of(*annotations.find(node)->find_input(node->input("weight")))->qscheme;
  }

  TestProgram net;
  Value* a = net.conv2d(net.input("x", {1, 4, 8, 8}), "a", 4);
  Value* b = net.conv2d(a, "b", 4);
  Value* relu = net.relu(b);
  Annotations annotations;
};

TEST_F(Recipes, TheSchemeHoldsWhereNoRuleDoes) {
  const RecipeQuantizer quantizer = annotate("");
  EXPECT_EQ(weight_scheme(a), QScheme::kPerChannelSymmetric);
  EXPECT_EQ(quantizer.decision(a->name())->source, "recipe");
  EXPECT_TRUE(quantizer.decision(a->name())->served);
  EXPECT_EQ(quantizer.decision("nobody"), nullptr);
}

TEST_F(Recipes, OfSeveralRulesTheLastWins) {
  const RecipeQuantizer quantizer = annotate(R"({"select": {"module": "re:a|b"}, "scheme": "float"},
                                                {"select": {"module": "b"}, "scheme": "xnnpack-static-per-tensor"})");
  EXPECT_EQ(*annotations.reason(a->producer()), "left in float by rule 1 (module re:a|b)");
  EXPECT_EQ(weight_scheme(b), QScheme::kPerTensorSymmetric);
  EXPECT_FALSE(quantizer.decision(a->name())->served);
}

TEST_F(Recipes, AnActivationGoesWithItsLayer) {
  annotate(R"({"select": {"module": "b"}, "scheme": "xnnpack-static-per-tensor"})");
  EXPECT_FALSE(annotations.find(b->producer())->output_qspec) << "conv and ReLU are one pattern";
  EXPECT_TRUE(annotations.find(relu->producer())->output_qspec);
}

TEST_F(Recipes, ARuleThatSelectsNothingIsAnError) {
  EXPECT_EQ(error_text([&] { annotate(R"({"select": {"module": "c"}, "scheme": "float"})"); }),
            "mine: rule 1: module c selects nothing of the program\n"
            "  to go on: `torquant inspect PROGRAM --layers` lists modules and operators");
}

}  // namespace
}  // namespace torquant
