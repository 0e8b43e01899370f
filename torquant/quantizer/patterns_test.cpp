#include "torquant/quantizer/patterns.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"
#include "torquant/graph/ops.h"

namespace torquant::patterns {
namespace {

TEST(Patterns, Names) {
  EXPECT_EQ(Pattern{.op = ops::kConv2d}.name(), "conv2d");
  EXPECT_EQ((Pattern{.op = ops::kLinear, .add = true, .activation = &activations::kRelu}.name()),
            "linear + add + relu");
  EXPECT_TRUE(Pattern{.op = ops::kConv1d}.has_weight());
  EXPECT_FALSE(Pattern{.op = ops::kMatmul}.has_weight());
}

// A backend of one's own: linear + gelu, and matmul in modules that a rule names.
TEST(Patterns, AnotherBackendIsAnotherTable) {
  const Backend backend{.name = "Mine",
                        .patterns = {{.op = ops::kLinear, .activation = &activations::kGelu},
                                     {.op = ops::kMatmul, .reach = Reach::kModule}},
                        .propagated = {},
                        .functions = {},
                        .modules = {},
                        .configs = {}};
  TestProgram net;
  Value* x = net.input("x", {4, 4});
  Value* with_gelu = net.linear(x, "a", 4);
  Value* gelu = net.op("aten.gelu.default", {{"self", with_gelu}});
  Value* alone = net.linear(gelu, "b", 4);
  Value* product = net.op("aten.matmul.default", {{"self", alone}, {"other", alone}});
  net.returns({product});

  const std::optional<QuantizationConfig> config = make_config({.activation = DType::kInt8,
                                                                .activation_range = {-128, 127},
                                                                .weight = QScheme::kPerTensorSymmetric,
                                                                .is_qat = false,
                                                                .is_dynamic = false});
  const auto everything = [](const Node&) { return true; };
  Annotations annotations;
  Annotator annotator(backend, net.program(), annotations);
  annotator.apply({.what = "all", .config = config, .reach = Reach::kGlobal, .selects = everything});
  EXPECT_TRUE(annotations.is_annotated(with_gelu->producer()));
  EXPECT_TRUE(annotations.is_annotated(gelu->producer()));
  EXPECT_EQ(annotations.find(gelu->producer()), nullptr) << "a part of the pattern, without specs of its own";
  EXPECT_FALSE(annotations.is_annotated(alone->producer()));
  EXPECT_FALSE(annotations.is_annotated(product->producer()));

  annotator.explain_the_rest();
  EXPECT_EQ(*annotations.reason(alone->producer()), "Mine takes it only as linear + gelu");
  EXPECT_EQ(*annotations.reason(product->producer()), "Mine takes it on request: a rule for the operator");

  annotator.apply({.what = "a module", .config = config, .reach = Reach::kModule, .selects = everything});
  EXPECT_TRUE(annotations.is_annotated(product->producer()));
}

}  // namespace
}  // namespace torquant::patterns
