#include "torquant/quantizer/scalars_to_tensors.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant {
namespace {

TEST(ScalarsToTensors, GivesFloatArithmeticTensorOperands) {
  TestProgram net;
  Value* x = net.input("x", {4});
  Value* y = net.op("aten.add.Tensor", {{"self", x}, {"other", 1.5}});
  Value* z = net.op("aten.mul.Tensor", {{"self", y}, {"other", int64_t{3}}});
  const Program before = net.returns({z});
  Program after = before.clone();

  scalars_to_tensors(after);

  EXPECT_EQ(after.find_state("_tensor_constant_0")->item<float>(), 1.5f);
  EXPECT_EQ(after.find_state("_tensor_constant_1")->item<float>(), 3.0f);
  EXPECT_NE(only_node(after, "aten.add.Tensor")->input("other"), nullptr);
  EXPECT_TRUE(at::equal(outputs_of(after, net.examples())[0], outputs_of(before, net.examples())[0]));
}

TEST(ScalarsToTensors, LeavesIntegerArithmeticAlone) {
  TestProgram net;
  Value* x = net.input("x", {4}, at::kLong);
  Program program = net.returns({net.op("aten.add.Tensor", {{"self", x}, {"other", int64_t{1}}})});
  scalars_to_tensors(program);
  EXPECT_TRUE(program.state().empty());
}

TEST(ScalarsToTensors, LeavesOtherOperatorsAlone) {
  TestProgram net;
  Value* x = net.input("x", {4});
  Program program = net.returns({net.op("aten.sub.Tensor", {{"self", x}, {"other", 1.5}})});
  scalars_to_tensors(program);
  EXPECT_TRUE(program.state().empty());
}

TEST(ScalarsToTensors, TakesFreeNames) {
  TestProgram net;
  net.buffer("_tensor_constant_0", at::rand({1}));
  Value* x = net.input("x", {4});
  Program program = net.returns({net.op("aten.add.Tensor", {{"self", x}, {"other", 2.0}})});
  scalars_to_tensors(program);
  EXPECT_EQ(program.find_state("_tensor_constant_1")->item<float>(), 2.0f);
}

}  // namespace
}  // namespace torquant
