#include "torquant/lower/unsigned_activations.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/test_qdq.h"

namespace torquant {
namespace {

TEST(UnsignedActivations, MeanTheSameNumbers) {
  TestProgram net;
  Value* x = net.input("x", {4, 500});
  Value* codes = quantize(net, x, kSigned);
  Value* y = dequantize(net, codes, kSigned);
  Value* z = dequantize(net, codes, kSigned);
  Program program = net.returns({y, z});
  const std::vector<at::Tensor> before = outputs_of(program, net.examples());
  EXPECT_TRUE(make_activations_unsigned(program).changed);
  const Node* quantized = only_node(program, "quantized_decomposed.quantize_per_tensor.default");
  EXPECT_EQ(read_quantize(quantized)->grid, (Grid{0.02, 121, 0, 255, at::kByte}));
  EXPECT_EQ(quantized->output()->tensor().dtype, at::kByte);
  const std::vector<at::Tensor> after = outputs_of(program, net.examples());
  EXPECT_TRUE(at::equal(after[0], before[0]) && at::equal(after[1], before[1]));
  EXPECT_FALSE(make_activations_unsigned(program).changed);
}

TEST(UnsignedActivations, CodesThatOthersReadStaySigned) {
  TestProgram net;
  Value* codes = quantize(net, net.input("x", {4, 5}), kSigned);
  Value* y = dequantize(net, codes, kSigned);
  Program program = net.returns({y, codes});
  EXPECT_FALSE(make_activations_unsigned(program).changed);
}

}  // namespace
}  // namespace torquant
