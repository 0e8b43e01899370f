#include "torquant/recipe/selector.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

class SelectorTest : public testing::Test {
 protected:
  SelectorTest()
      : program_(parse_program(R"(
          parameter %p_stem_weight : f32[8, 3, 3, 3] = "stem.weight"
          parameter %p_conv1_weight : f32[8, 8, 3, 3] = "layer1.0.conv1.weight"
          parameter %p_conv1_bias : f32[8] = "layer1.0.conv1.bias"
          parameter %p_head_weight : f32[10, 8] = "head.weight"
          input %x : f32[2, 3, 9, 9]
          %stem : f32[2, 8, 7, 7] = aten.conv2d.default(input=%x, weight=%p_stem_weight)
          %relu : f32[2, 8, 7, 7] = aten.relu.default(self=%stem)
          %conv1 : f32[2, 8, 5, 5] = aten.conv2d.default(input=%relu, weight=%p_conv1_weight, bias=%p_conv1_bias)
          %mean : f32[2, 8] = aten.mean.dim(self=%conv1, dim=[2, 3])
          %head : f32[2, 10] = aten.linear.default(input=%mean, weight=%p_head_weight)
          return %head)")) {
    const auto place = [&](const char* node, const char* stack) {
      program_.graph().find_node(node)->set_metadata("nn_module_stack", stack);
    };
    place("stem", "L__self__,,demo.Net;L__self__stem,stem,torch.nn.modules.conv.Conv2d");
    place("conv1",
          "L__self__,,demo.Net;L__self__layer1,layer1,torch.nn.modules.container.Sequential;"
          "L__self__layer1.0.conv1,layer1.0.conv1,torch.nn.modules.conv.Conv2d");
    place("head", "L__self__,,demo.Net;L__self__head,head,torch.nn.modules.linear.Linear");
  }

  // The names of what is selected, in order, with spaces between them.
  std::string selected(const Selector& selector) const {
    std::string names;
    for (const Node* node : selector.select(program_)) names += (names.empty() ? "" : " ") + node->name();
    return names;
  }

  Program program_;
};

TEST_F(SelectorTest, AModuleSelectsWhatLiesInsideIt) {
  EXPECT_EQ(selected({.module = "layer1.0.conv1"}), "conv1");
  EXPECT_EQ(selected({.module = "layer1"}), "conv1");
  EXPECT_EQ(selected({.module = "layer"}), "");
  EXPECT_EQ(selected({.module = "conv1"}), "");
}

TEST_F(SelectorTest, PatternsAreGlobsOrRegularExpressions) {
  EXPECT_EQ(selected({.module = "layer?.*"}), "conv1");
  EXPECT_EQ(selected({.module = "*conv1"}), "conv1");
  EXPECT_EQ(selected({.module = "layer2.*"}), "");
  EXPECT_EQ(selected({.module = R"(re:layer\d\.0\.conv[12]|head)"}), "conv1 head");
  EXPECT_EQ(selected({.module = R"(re:ayer\d)"}), "");  // the whole name
}

TEST_F(SelectorTest, TypesMatchWholeOrByTheirLastPart) {
  EXPECT_EQ(selected({.module_type = "Conv2d"}), "stem conv1");
  EXPECT_EQ(selected({.module_type = "torch.nn.modules.conv.Conv2d"}), "stem conv1");
  EXPECT_EQ(selected({.module_type = "Sequential"}), "conv1");
  EXPECT_EQ(selected({.module_type = "conv.Conv2d"}), "");
}

TEST_F(SelectorTest, AnOperatorNeedsNoModules) {
  EXPECT_EQ(selected({.op = "aten.relu.default"}), "relu");
  EXPECT_EQ(selected({.op = "aten.conv2d.*"}), "stem conv1");
}

TEST_F(SelectorTest, AParameterSelectsItsReaders) {
  EXPECT_EQ(selected({.parameter = "head.weight"}), "head");
  EXPECT_EQ(selected({.parameter = "*.bias"}), "conv1");
  EXPECT_EQ(selected({.parameter = "x"}), "");  // an input is none
}

TEST_F(SelectorTest, AWeightShapeIsAConditionAnAxis) {
  EXPECT_EQ(selected({.weight_shape = {"10", "8"}}), "head");
  EXPECT_EQ(selected({.weight_shape = {"*", "*"}}), "head");  // as many axes
  EXPECT_EQ(selected({.weight_shape = {"*", "<8", "..."}}), "stem");
  EXPECT_EQ(selected({.weight_shape = {">8", "..."}}), "head");
  EXPECT_EQ(selected({.weight_shape = {"..."}}), "stem conv1 head");
}

TEST_F(SelectorTest, AnIndexCountsLayers) {
  EXPECT_EQ(selected({.index = {0, -1}}), "stem head");
  EXPECT_EQ(selected({.index = {-1, 2, 0}}), "stem head");  // each once, in the order of the program
  EXPECT_EQ(selected({.op = "aten.conv2d.default", .index = {-1}}), "conv1");
  EXPECT_EQ(selected({.module = "layer1", .index = {0}}), "conv1");
}

TEST_F(SelectorTest, RefusesAnIndexBeyondTheLayers) {
  EXPECT_EQ(error_text([&] { selected({.index = {0, 3}}); }),
            "index 3: 3 layers to count\n  allowed here: 0 to 2, or -1 to -3 from the end");
  EXPECT_NE(error_text([&] { selected({.index = {-4}}); }), "");
  EXPECT_EQ(error_text([&] { selected({.op = "aten.relu.default", .index = {0}}); }), "index 0: 0 layers to count");
}

TEST_F(SelectorTest, AllPartsMustHold) {
  EXPECT_EQ(selected({.module = "layer1", .op = "aten.conv2d.*"}), "conv1");
  EXPECT_EQ(selected({.module = "layer1", .op = "aten.linear.default"}), "");
  EXPECT_EQ(selected({.op = "aten.conv2d.default", .weight_shape = {"*", "8", "3", "3"}}), "conv1");
}

TEST_F(SelectorTest, TextTellsAllParts) {
  const Selector all = {
      .module = "a", .module_type = "B", .op = "c", .parameter = "d", .weight_shape = {"*", ">4"}, .index = {0, -1}};
  EXPECT_EQ(all.text(), "module a, module_type B, op c, parameter d, weight_shape [*, >4], index 0, -1");
}

TEST_F(SelectorTest, WhyNothingNamesThePartThatNothingFitsAndWhatWasMeant) {
  EXPECT_EQ(why_nothing({.module = "layer1.0.cnov1"}, program_),
            "no module of the program is layer1.0.cnov1; did you mean \"layer1.0.conv1\"?");
  EXPECT_EQ(why_nothing({.module = "head", .op = "aten.linear"}, program_), "no op of the program is aten.linear");
  EXPECT_EQ(why_nothing({.parameter = "head.wieght"}, program_),
            "no parameter of the program is head.wieght; did you mean \"head.weight\"?");
  EXPECT_EQ(why_nothing({.module = "tail.*"}, program_), "no module of the program is tail.*");
  EXPECT_EQ(why_nothing({.module = "head", .op = "aten.conv2d.default"}, program_),
            "");  // each alone selects something
}

TEST_F(SelectorTest, RegularExpressionsTakeLittleTimeAndStack) {
  program_.graph().find_node("relu")->set_metadata(
      "nn_module_stack", "x,," + std::string(100'000, 'a') + ";y," + std::string(40, 'a') + "c,T");
  EXPECT_EQ(selected({.module = "re:(a*)*b"}), "");
  EXPECT_EQ(selected({.module_type = "re:(a|b)+"}), "relu");
}

TEST(SelectorCheck, RefusesWhatCanSelectNothing) {
  const auto problem = [](const Selector& selector) { return error_text([&] { selector.check("rule 1"); }); };
  EXPECT_EQ(problem({.op = "a(b"}), "");  // a name, not an expression
  EXPECT_TRUE(problem({.op = "re:a(b"}).starts_with("rule 1.op: \"re:a(b\" is no regular expression: "));
  EXPECT_EQ(problem({.op = "re:" + std::string(998, '(')}),
            "rule 1.op: a regular expression of 1001 characters\n  allowed here: 1000");
  EXPECT_NE(problem({.op = "re:" + std::string(997, '(')}), "");
  EXPECT_EQ(problem({.op = "re:layer123456789"}), "");
  EXPECT_EQ(problem({.op = "re:a\\1234567890"}), "rule 1.op: \"re:a\\1234567890\" has a number of more than 9 digits");
  EXPECT_EQ(problem({.parameter = ""}), "rule 1.parameter: is empty");
  EXPECT_TRUE(problem({.weight_shape = {"x"}}).starts_with("rule 1.weight_shape: axis 0: \"x\" is no condition"));
  EXPECT_EQ(problem({}),
            "rule 1: selects nothing\n  allowed here: module, module_type, op, parameter, weight_shape, index");
}

}  // namespace
}  // namespace torquant
