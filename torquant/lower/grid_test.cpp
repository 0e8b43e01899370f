#include "torquant/lower/grid.h"

#include <gtest/gtest.h>

#include "tests/support/test_qdq.h"

namespace torquant {
namespace {

TEST(Grid, IsReadFromQuantizeAndDequantizeNodes) {
  TestProgram net;
  Value* x = net.input("x", {2, 3});
  Value* codes = quantize(net, x, kImage);
  Value* y = dequantize(net, codes, kImage);
  const std::optional<OnGrid> quantized = read_quantize(codes->producer());
  ASSERT_TRUE(quantized);
  EXPECT_EQ(quantized->input, x);
  EXPECT_EQ(quantized->grid, kImage);
  EXPECT_EQ(dequantized(y)->input, codes);
  EXPECT_FALSE(read_quantize(y->producer()));
  EXPECT_FALSE(read_dequantize(codes->producer()));
  EXPECT_FALSE(dequantized(x)) << "an input has no producer";
  EXPECT_FALSE(read_quantize(nullptr));
}

TEST(Grid, OfAnotherFloatTypeIsNone) {
  TestProgram net;
  Value* codes = quantize(net, net.input("x", {2, 3}, at::kHalf), kImage);
  EXPECT_FALSE(read_quantize(codes->producer()));
  std::vector<NamedArgument> args = on_grid(codes, kImage);
  args.push_back({"out_dtype", at::kHalf, true});
  EXPECT_FALSE(dequantized(net.op("quantized_decomposed.dequantize_per_tensor.default", args)));
}

TEST(Grid, CodesAreNamedAfterTheirNumbers) {
  TestProgram net;
  Value* x = net.relu(net.input("x", {2, 3}));
  Node* last = net.relu(x)->producer();
  EXPECT_EQ(insert_quantize(last, x, kImage)->name(), "relu_quantized");
  const std::string second = insert_quantize(last, x, kHidden)->name();
  EXPECT_EQ(quantized_numbers("relu_quantized"), "relu");
  EXPECT_EQ(quantized_numbers(second), "relu");
  EXPECT_EQ(quantized_numbers("a_quantized_b"), "");
  EXPECT_EQ(quantized_numbers("relu"), "");
}

}  // namespace
}  // namespace torquant
