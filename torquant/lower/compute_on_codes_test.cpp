#include "torquant/lower/compute_on_codes.h"

#include <gtest/gtest.h>

#include "tests/support/test_qdq.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

constexpr const char* kDequantize = "quantized_decomposed.dequantize_per_tensor.default";

class ComputeOnCodes : public testing::Test {
 protected:
  // Only the output's dequantize node is left, and no code is more than `steps` away.
  void expect_near(Value* output, const Grid& grid, double steps) {
    Program program = net.returns({output});
    const at::Tensor before = outputs_of(program, net.examples())[0];
    EXPECT_TRUE(compute_on_codes(program).changed);
    remove_dead_nodes(program);
    EXPECT_EQ(count_nodes(program, kDequantize), 1u);
    const at::Tensor after = outputs_of(program, net.examples())[0];
    ASSERT_EQ(after.sizes(), before.sizes());
    EXPECT_LE(after.sub(before).abs().max().item<double>(), steps * 1.001 * grid.scale);
    EXPECT_GT(before.abs().max().item<double>(), 0);
  }
  Value* add(Value* a, Value* b) { return net.op("aten.add.Tensor", {{"self", a}, {"other", b}}); }
  Value* mul(Value* a, Value* b) { return net.op("aten.mul.Tensor", {{"self", a}, {"other", b}}); }
  Value* image(const char* name, const Grid& grid) { return through(net, net.input(name, {2, 5, 7, 9}), grid); }

  TestProgram net;
};

TEST_F(ComputeOnCodes, SumsAreThoseOfTheQuantizedProgramToTheBit) {
  expect_near(through(net, add(image("a", kImage), image("b", kHidden)), kHalf), kHalf, 0);
}

TEST_F(ComputeOnCodes, ClampsAfterASum) {
  Value* sum = through(net, net.relu(add(image("a", kImage), image("b", kHidden))), kHidden);
  sum = net.op("aten.hardtanh.default", {{"self", add(sum, sum)}, {"min_val", 0.21}, {"max_val", 3.0}});
  expect_near(through(net, sum, kImage), kImage, 0);
}

TEST_F(ComputeOnCodes, ProductsAreThoseOfTheQuantizedProgramToTheBit) {
  expect_near(through(net, net.relu(mul(image("a", kImage), image("b", kHidden))), kHalf), kHalf, 0);
}

TEST_F(ComputeOnCodes, OperandsOfOtherSizesAreRepeated) {
  Value* x = image("x", kImage);
  Value* of_channels = through(net, net.input("channels", {2, 5, 1, 1}), kHidden);
  Value* of_columns = through(net, net.input("columns", {9}), kHalf);
  expect_near(through(net, mul(x, of_channels), kHalf), kHalf, 0);
  expect_near(through(net, add(of_channels, x), kHidden), kHidden, 0);
  expect_near(through(net, mul(of_columns, x), kHidden), kHidden, 0);
  expect_near(through(net, add(of_columns, of_channels), kHidden), kHidden, 0);
}

TEST_F(ComputeOnCodes, AStoredOperandMayBeSigned) {
  Value* stored = dequantize(net, net.buffer("shift", at::randint(-128, 128, {5, 1, 1}).to(at::kChar)), kSigned);
  expect_near(through(net, mul(image("a", kImage), stored), kHidden), kHidden, 0);
}

TEST_F(ComputeOnCodes, Averages) {
  const std::vector<NamedArgument> windows = {
      {"kernel_size", Ints{3, 2}}, {"stride", Ints{2, 1}}, {"padding", Ints{1, 0}}};
  std::vector<NamedArgument> args = {{"self", image("a", kImage)}};
  args.insert(args.end(), windows.begin(), windows.end());
  Value* x = through(net, net.op("aten.avg_pool2d.default", args), kHalf);
  x = through(net, net.op("aten.avg_pool2d.default", {{"self", x}, {"kernel_size", Ints{2, 2}}}), kImage);
  expect_near(x, kImage, 1);
}

TEST_F(ComputeOnCodes, AveragesOfWholeImages) {
  Value* a = net.op("aten.adaptive_avg_pool2d.default", {{"self", image("a", kImage)}, {"output_size", Ints{1, 1}}});
  expect_near(through(net, a, kHalf), kHalf, 1);
  Value* b = net.op("aten.mean.dim", {{"self", image("b", kImage)}, {"dim", Ints{-1, -2}}, {"keepdim", true}});
  expect_near(through(net, b, kHalf), kHalf, 1);
  Value* c = net.op("aten.mean.dim", {{"self", image("c", kImage)}, {"dim", Ints{2, 3}}});
  expect_near(through(net, net.relu(c), kHalf), kHalf, 1);
}

TEST_F(ComputeOnCodes, WhatHasNoOperatorStays) {
  Value* a = image("a", kImage);
  const std::vector<Value*> float_ones = {
      net.op("aten.add.Tensor", {{"self", a}, {"other", image("b", kImage)}, {"alpha", 2.0}}),
      add(a, net.input("number", {2, 5, 7, 9})),
      mul(a, net.input("factor", {1})),
      add(a, image("signed", kSigned)),
      net.op("aten.mean.dim", {{"self", a}, {"dim", Ints{1}}, {"keepdim", true}}),
      net.op("aten.adaptive_avg_pool2d.default", {{"self", a}, {"output_size", Ints{3, 3}}}),
      net.op("aten.avg_pool2d.default", {{"self", a}, {"kernel_size", Ints{2, 2}}, {"ceil_mode", true}}),
  };
  std::vector<Value*> outputs;
  for (Value* value : float_ones) outputs.push_back(through(net, value, kHidden));
  Program program = net.returns(outputs);
  EXPECT_FALSE(compute_on_codes(program).changed);
}

}  // namespace
}  // namespace torquant
