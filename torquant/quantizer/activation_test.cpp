#include "torquant/quantizer/activation.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant {
namespace {

using namespace activations;

class Written : public testing::Test {
 protected:
  // An operator in a module of the user's, or in the PyTorch module `type`, through `function`.
  const Node& node(const char* op, const char* type, const char* function) {
    const std::string stack = std::string("k,,net.Net") + (type == nullptr ? "" : std::string(";k2,act,") + type);
    Node* made = net.op(op, {{"self", x}})->producer();
    made->set_metadata("nn_module_stack", stack);
    made->set_metadata("torch_fn", std::string("name_1;") + function);
    return *made;
  }

  TestProgram net;
  Value* x = net.input("x", {2, 3});
};

TEST_F(Written, ReluIsKnownAsModuleAndAsFunctionOfNnFunctional) {
  EXPECT_TRUE(is(node("aten.relu.default", "torch.nn.modules.activation.ReLU", "function.relu"), kRelu));
  EXPECT_TRUE(is(node("aten.relu_.default", "torch.nn.modules.activation.ReLU", "function.relu"), kRelu));
  EXPECT_TRUE(is(node("aten.relu.default", nullptr, "function.relu"), kRelu));
  EXPECT_TRUE(is(node("aten.relu_.default", nullptr, "builtin_function_or_method.relu_"), kRelu));
  EXPECT_FALSE(is(node("aten.relu.default", nullptr, "builtin_function_or_method.relu"), kRelu)) << "torch.relu";
  EXPECT_FALSE(is(node("aten.relu.default", nullptr, "method_descriptor.relu"), kRelu)) << "x.relu()";
}

TEST_F(Written, OthersAreKnownAsModulesAlone) {
  EXPECT_TRUE(is(node("aten.silu.default", "torch.nn.modules.activation.SiLU", "function.silu"), kSilu));
  EXPECT_FALSE(is(node("aten.silu.default", nullptr, "function.silu"), kSilu));
  EXPECT_TRUE(is(node("aten.gelu.default", "torch.nn.modules.activation.GELU", "x.gelu"), kGelu));
  EXPECT_FALSE(is(node("aten.gelu.default", nullptr, "builtin_function_or_method.gelu"), kGelu));
}

TEST_F(Written, TheModuleTellsRelu6FromHardtanh) {
  const Node& relu6 = node("aten.hardtanh.default", "torch.nn.modules.activation.ReLU6", "function.hardtanh");
  EXPECT_TRUE(is(relu6, kRelu6));
  EXPECT_FALSE(is(relu6, kHardtanh));
  EXPECT_TRUE(is(node("aten.hardtanh.default", nullptr, "function.hardtanh"), kHardtanh));
}

TEST_F(Written, WhereNothingIsNotedTheOperatorDecides) {
  const Node& silu = *net.op("aten.silu.default", {{"self", x}})->producer();
  EXPECT_TRUE(is(silu, kSilu));
  EXPECT_FALSE(is(silu, kRelu));
}

TEST(Activation, ByOperator) {
  EXPECT_TRUE(is_activation(OpId("aten.hardswish_.default")));
  EXPECT_TRUE(is_activation(OpId("aten.relu6.default")));
  EXPECT_FALSE(is_activation(OpId("aten.add.Tensor")));
}

}  // namespace
}  // namespace torquant
