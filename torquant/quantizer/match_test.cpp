#include "torquant/quantizer/match.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"
#include "torquant/quantizer/quantization_config.h"

namespace torquant {
namespace {

TEST(Match, WrittenAs) {
  TestProgram net;
  Value* x = net.input("x", {2, 3});
  const auto node = [&](const char* stack, const char* function) {
    Node* made = net.relu(x)->producer();
    if (stack != nullptr) made->set_metadata("nn_module_stack", stack);
    if (function != nullptr) made->set_metadata("torch_fn", function);
    return written_as(*made);
  };
  EXPECT_EQ(node(nullptr, nullptr).module, "");
  EXPECT_EQ(node(nullptr, nullptr).function, "");
  EXPECT_EQ(node("k,,net.Net;k2,act,torch.nn.modules.activation.ReLU", "relu_1;function.relu").module,
            "torch.nn.modules.activation.ReLU");
  EXPECT_EQ(node("k,,net.Net", "relu_1;builtin_function_or_method.relu").function, "builtin_function_or_method.relu");
  EXPECT_EQ(node("k,,net.Net", nullptr).module, "") << "the user's module calls a function";
  EXPECT_EQ(node("k,,net.Net;k2,s,torch.nn.modules.container.Sequential", nullptr).module, "") << "so does a container";
}

TEST(Match, AbsentSpecsAreLeftOut) {
  TestProgram net;
  Value* x = net.input("x", {2, 3});
  QuantizationAnnotation annotation;
  set_input(annotation, x, std::nullopt);
  set_input(annotation, nullptr, get_symmetric_quantization_config().weight);
  set_output(annotation, std::nullopt);
  EXPECT_TRUE(annotation.empty());
  set_input(annotation, x, get_symmetric_quantization_config().weight);
  set_output(annotation, get_symmetric_quantization_config().weight);
  EXPECT_NE(annotation.find_input(x), nullptr);
  EXPECT_TRUE(annotation.output_qspec.has_value());
}

}  // namespace
}  // namespace torquant
