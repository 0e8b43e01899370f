#include "torquant/pass/constant_values.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"
#include "torquant/graph/ops.h"

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

TEST(ConstantValues, AnObserverHandsOnWhatItSees) {
  TestProgram net;
  Value* w = net.parameter("w", {4});
  Graph& graph = net.program().graph();
  Node* observe = graph.append(ops::kObserve, "observe", {{"input", w}, {"observer", int64_t{0}}});
  Value* observed = graph.add_output(observe, "observe", w->meta());
  Node* neg = graph.append(OpId("aten.neg.default"), "neg", {{"self", observed}});
  Value* computed = graph.add_output(neg, "neg", w->meta());
  EXPECT_TRUE(at::equal(evaluate_constant(net.program(), computed), -*net.program().find_state("w")));
}

}  // namespace
}  // namespace torquant
