#include "torquant/pass/constant_values.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

TEST(ConstantValues, AreParametersAndWhatIsComputedFromThemAlone) {
  TestProgram net;
  Value* x = net.input("x", {4});
  Value* w = net.parameter("w", {4});
  Value* computed = net.op("aten.exp.default", {{"self", net.op("aten.neg.default", {{"self", w}})}});
  Value* mixed = net.op("aten.mul.Tensor", {{"self", x}, {"other", computed}});
  net.returns({mixed});
  const auto constants = constant_values(net.program());
  EXPECT_TRUE(constants.contains(w));
  EXPECT_TRUE(constants.contains(computed));
  EXPECT_FALSE(constants.contains(x));
  EXPECT_FALSE(constants.contains(mixed));
}

TEST(ConstantValues, AreNotThoseWrittenInPlace) {
  TestProgram net;
  Value* w = net.parameter("w", {4});
  Value* written = net.op("aten.neg_.default", {{"self", w}});
  net.returns({written});
  const auto constants = constant_values(net.program());
  EXPECT_FALSE(constants.contains(w));
  EXPECT_FALSE(constants.contains(written));
}

TEST(ConstantValues, AreComputedByRunningTheirNodes) {
  TestProgram net;
  Value* x = net.input("x", {4});
  Value* w = net.parameter("w", {4});
  Value* computed = net.op("aten.add.Tensor", {{"self", net.op("aten.neg.default", {{"self", w}})}, {"other", w}});
  Value* mixed = net.op("aten.mul.Tensor", {{"self", x}, {"other", computed}});
  const Program program = net.returns({mixed});
  const at::Tensor& tensor = *program.find_state("w");
  const Value* copy = program.graph().find_value(computed->name());
  EXPECT_TRUE(at::equal(evaluate_constant(program, copy), -tensor + tensor));
  EXPECT_EQ(error_text([&] { evaluate_constant(program, program.graph().find_value(mixed->name())); }),
            "%mul: depends on input %x");
}

}  // namespace
}  // namespace torquant
