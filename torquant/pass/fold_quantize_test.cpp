#include "torquant/pass/fold_quantize.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/test_program.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

std::vector<NamedArgument> qdq(Value* input) {
  return {{"input", input},
          {"scale", 0.05},
          {"zero_point", int64_t{0}},
          {"quant_min", int64_t{-127}},
          {"quant_max", int64_t{127}},
          {"dtype", at::kChar}};
}
Value* quantize(TestProgram& net, Value* x) {
  return net.op("quantized_decomposed.quantize_per_tensor.default", qdq(x));
}
Value* dequantize(TestProgram& net, Value* q) {
  return net.op("quantized_decomposed.dequantize_per_tensor.default", qdq(q));
}

TEST(FoldQuantize, KeepsTheCodesUnderTheNameOfTheWeight) {
  TestProgram net;
  Value* weight = dequantize(net, quantize(net, net.parameter("fc.weight", {6, 8})));
  Value* y = net.op("aten.linear.default", {{"input", net.input("x", {2, 8})}, {"weight", weight}});
  const Program before = net.returns({y});
  Program after = before.clone();

  EXPECT_TRUE(fold_quantize_constants(after).changed);
  remove_dead_state(after);

  ASSERT_EQ(after.state().size(), 1u) << "no float copy is left";
  EXPECT_EQ(after.state()[0].name, "fc.weight");
  EXPECT_EQ(after.state()[0].tensor.scalar_type(), at::kChar);
  EXPECT_FALSE(after.state()[0].is_parameter);
  EXPECT_TRUE(at::equal(outputs_of(after, net.examples())[0], outputs_of(before, net.examples())[0]));
  EXPECT_FALSE(fold_quantize_constants(after).changed);
}

TEST(FoldQuantize, KeepsAWeightThatIsReadInFloatToo) {
  TestProgram net;
  Value* weight = net.parameter("fc.weight", {6, 8});
  Value* x = net.input("x", {2, 8});
  Value* y = net.op("aten.linear.default", {{"input", x}, {"weight", dequantize(net, quantize(net, weight))}});
  Value* z = net.op("aten.linear.default", {{"input", x}, {"weight", weight}});
  Program program = net.returns({y, z});

  fold_quantize_constants(program);
  remove_dead_state(program);

  ASSERT_EQ(program.state().size(), 2u);
  EXPECT_EQ(program.find_state("fc.weight")->scalar_type(), at::kFloat);
  EXPECT_EQ(program.find_state("fc.weight_quantized")->scalar_type(), at::kChar);
}

TEST(FoldQuantize, FoldsAComputedWeight) {
  TestProgram net;
  Value* weight = net.op("aten.neg.default", {{"self", net.parameter("fc.weight", {6, 8})}});
  Value* y = net.op("aten.linear.default",
                    {{"input", net.input("x", {2, 8})}, {"weight", dequantize(net, quantize(net, weight))}});
  const Program before = net.returns({y});
  Program after = before.clone();
  EXPECT_TRUE(fold_quantize_constants(after).changed);
  remove_dead_nodes(after);
  remove_dead_state(after);
  ASSERT_EQ(after.state().size(), 1u);
  EXPECT_EQ(after.state()[0].tensor.scalar_type(), at::kChar);
  EXPECT_TRUE(at::equal(outputs_of(after, net.examples())[0], outputs_of(before, net.examples())[0]));
}

TEST(FoldQuantize, LeavesActivationsAlone) {
  TestProgram net;
  Program program = net.returns({dequantize(net, quantize(net, net.input("x", {4})))});
  EXPECT_FALSE(fold_quantize_constants(program).changed);
}

}  // namespace
}  // namespace torquant
