#include "torquant/recipe/selector.h"

#include <gtest/gtest.h>

#include "torquant/core/error.h"
#include "torquant/graph/graph.h"

namespace torquant {
namespace {

TEST(Pattern, NamesGlobsAndRegularExpressions) {
  EXPECT_TRUE(fits_pattern("layer1.0.conv1", "layer1.0.conv1"));
  EXPECT_FALSE(fits_pattern("layer1", "layer10"));
  EXPECT_TRUE(fits_pattern("layer*.conv?", "layer1.0.conv2"));
  EXPECT_FALSE(fits_pattern("layer*.conv?", "layer1.0.conv"));
  EXPECT_TRUE(fits_pattern("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(fits_pattern("*a*b", "xxaxxbxx"));
  EXPECT_TRUE(fits_pattern("re:layer[12]\\..*", "layer2.0.conv1"));
  EXPECT_FALSE(fits_pattern("re:layer[12]", "layer2.0"));
  EXPECT_TRUE(fits_pattern("", ""));
}

TEST(Pattern, AMalformedRegularExpressionIsQuoted) {
  try {
    fits_pattern("re:layer[", "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("\"layer[\""), std::string::npos) << error.what();
  }
}

class SelectorTest : public testing::Test {
 protected:
  void SetUp() override {
    node_ = graph_.append(OpId("aten.conv2d.default"), "conv2d", {});
    node_->set_metadata("nn_module_stack",
                        "L__self__,,net.Net;a,layer1.0,net.Block;b,layer1.0.conv1,torch.nn.modules.conv.Conv2d");
  }
  Graph graph_;
  Node* node_ = nullptr;
};

TEST_F(SelectorTest, FitsAnyModuleAroundTheNode) {
  EXPECT_TRUE((Selector{.module = "layer1.0"}.matches(*node_)));
  EXPECT_TRUE((Selector{.module = "layer1.*.conv1"}.matches(*node_)));
  EXPECT_FALSE((Selector{.module = "layer2*"}.matches(*node_)));
  EXPECT_TRUE((Selector{.module_type = "Conv2d"}.matches(*node_)));
  EXPECT_TRUE((Selector{.module_type = "net.Block"}.matches(*node_)));
  EXPECT_FALSE((Selector{.module_type = "Linear"}.matches(*node_)));
}

TEST_F(SelectorTest, EveryFieldMustFit) {
  EXPECT_TRUE((Selector{.module = "layer1.0", .op = "aten.conv2d"}.matches(*node_)));
  EXPECT_TRUE((Selector{.op = "aten.conv2d.default"}.matches(*node_)));
  EXPECT_FALSE((Selector{.module = "layer1.0", .op = "aten.linear"}.matches(*node_)));
  EXPECT_TRUE(Selector{}.matches(*node_));
}

}  // namespace
}  // namespace torquant
