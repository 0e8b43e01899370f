#include "torquant/recipe/selector.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/graph.h"

namespace torquant {
namespace {

class SelectorTest : public testing::Test {
 protected:
  SelectorTest() {
    node_ = graph_.append(OpId("aten.conv2d.default"), "conv2d", {});
    node_->set_metadata("nn_module_stack",
                        "L__self__,,demo.Net;L__self__layer1,layer1,torch.nn.modules.container.Sequential;"
                        "L__self__layer1.0.conv1,layer1.0.conv1,torch.nn.modules.conv.Conv2d");
  }

  bool matches(const Selector& selector) const { return selector.matches(*node_); }

  Graph graph_;
  Node* node_;
};

TEST_F(SelectorTest, AModuleSelectsWhatLiesInsideIt) {
  EXPECT_TRUE(matches({.module = "layer1.0.conv1"}));
  EXPECT_TRUE(matches({.module = "layer1"}));
  EXPECT_FALSE(matches({.module = "layer"}));
  EXPECT_FALSE(matches({.module = "conv1"}));
}

TEST_F(SelectorTest, PatternsAreGlobsOrRegularExpressions) {
  EXPECT_TRUE(matches({.module = "layer?.*"}));
  EXPECT_TRUE(matches({.module = "*conv1"}));
  EXPECT_FALSE(matches({.module = "layer2.*"}));
  EXPECT_TRUE(matches({.module = R"(re:layer\d\.0\.conv[12])"}));
  EXPECT_FALSE(matches({.module = R"(re:ayer\d)"}));  // the whole name
}

TEST_F(SelectorTest, TypesMatchWholeOrByTheirLastPart) {
  EXPECT_TRUE(matches({.module_type = "Conv2d"}));
  EXPECT_TRUE(matches({.module_type = "torch.nn.modules.conv.Conv2d"}));
  EXPECT_TRUE(matches({.module_type = "Sequential"}));
  EXPECT_FALSE(matches({.module_type = "conv.Conv2d"}));
}

TEST_F(SelectorTest, AllPartsMustHold) {
  EXPECT_TRUE(matches({.module = "layer1", .op = "aten.conv2d.*"}));
  EXPECT_FALSE(matches({.module = "layer1", .op = "aten.linear.default"}));
  EXPECT_FALSE(matches({.module = "layer2", .op = "aten.conv2d.default"}));
  EXPECT_EQ((Selector{.module = "a", .module_type = "B", .op = "c"}).text(), "module a, module_type B, op c");
}

TEST_F(SelectorTest, ANodeWithoutModulesIsSelectedByItsOperatorAlone) {
  const Node* bare = graph_.append(OpId("aten.relu.default"), "relu", {});
  EXPECT_TRUE((Selector{.op = "aten.relu.default"}).matches(*bare));
  EXPECT_FALSE((Selector{.module = "*"}).matches(*bare));
}

TEST(CheckPattern, RefusesAMalformedRegularExpression) {
  EXPECT_EQ(error_text([] { check_pattern("r.json: rule 1", "a(b"); }), "");  // a name, not an expression
  EXPECT_TRUE(error_text([] {
                check_pattern("r.json: rule 1", "re:a(b");
              }).starts_with("r.json: rule 1: \"re:a(b\" is no regular expression: "));
  EXPECT_EQ(error_text([] { check_pattern("r.json: rule 1", "re:" + std::string(998, '(')); }),
            "r.json: rule 1: a regular expression of 1001 characters\n  allowed here: 1000");
  EXPECT_NE(error_text([] { check_pattern("r.json: rule 1", "re:" + std::string(997, '(')); }), "");
}

TEST_F(SelectorTest, RegularExpressionsTakeLittleTimeAndStack) {
  node_->set_metadata("nn_module_stack", "x," + std::string(100'000, 'a') + ",T;y," + std::string(40, 'a') + "c,T");
  EXPECT_TRUE(matches({.module = "re:(a|b)+"}));
  EXPECT_FALSE(matches({.module = "re:(a*)*b"}));
}

}  // namespace
}  // namespace torquant
