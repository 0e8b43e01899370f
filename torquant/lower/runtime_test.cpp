#include "torquant/lower/runtime.h"

#include <gtest/gtest.h>

#include "tests/support/runtime_program.h"

namespace torquant {
namespace {

class LowerToRuntime : public RuntimeProgram {};

TEST_F(LowerToRuntime, FusesWhatFollowsAConvolution) {
  Value* x = through(net, net.input("x", {2, 5, 9, 9}), kImage);
  x = through(net, unary("relu", conv(x, "a", 18, {3, 3}, {{"padding", Ints{1, 1}}})), kHidden);
  x = net.op("aten.hardtanh.default", {{"self", conv(x, "b", 7, {1, 1})}, {"min_val", -1.0}, {"max_val", 2.0}});
  expect_one_step(through(net, x, kHidden), kHidden);
  EXPECT_EQ(model.nodes.size(), 4u) << "quantize, two layers, dequantize";
}

TEST_F(LowerToRuntime, TakesAllGeometries) {
  const std::vector<std::vector<NamedArgument>> geometries = {
      {{"stride", Ints{2, 1}}, {"padding", Ints{0, 2}}},
      {{"dilation", Ints{2, 3}}, {"padding", Ints{3, 1}}},
      {{"stride", Ints{3, 3}}, {"padding", Ints{1, 1}}, {"dilation", Ints{1, 2}}}};
  for (const std::vector<NamedArgument>& geometry : geometries) {
    net = TestProgram();
    Value* x = through(net, net.input("x", {1, 4, 11, 13}), kImage);
    expect_one_step(through(net, conv(x, "a", 6, {3, 4}, geometry), kHidden), kHidden);
  }
}

TEST_F(LowerToRuntime, TakesAPadInFrontAsTheLayersOwn) {
  Value* x = through(net, net.input("x", {1, 6, 9, 8}), kImage);
  // As exports of TensorFlow's networks have it: more behind than in front.
  x = net.op("aten.constant_pad_nd.default", {{"self", x}, {"pad", Ints{0, 1, 1, 2}}, {"value", 0.0}});
  x = through(net, x, kImage);
  x = through(net, conv(x, "a", 10, {3, 3}, {{"stride", Ints{2, 2}}}), kHidden);
  expect_one_step(x, kHidden);
  EXPECT_EQ(model.nodes.size(), 3u);
}

TEST_F(LowerToRuntime, RunsDepthwiseLayers) {
  for (const int64_t stride : {1, 2}) {
    net = TestProgram();
    Value* x = through(net, net.input("x", {2, 40, 11, 10}), kImage);
    x = net.op("aten.conv2d.default", {{"input", x},
                                       {"weight", int8_weight(net, "w", {40, 1, 3, 3})},
                                       {"bias", net.parameter("b", {40})},
                                       {"stride", Ints{stride, stride}},
                                       {"padding", Ints{1, 1}},
                                       {"groups", int64_t{40}}});
    expect_one_step(through(net, unary("relu", x), kHidden), kHidden);
    EXPECT_EQ(model.nodes.size(), 3u);
  }
}

TEST_F(LowerToRuntime, AddsAResidualInTheLayer) {
  Value* x = through(net, net.input("x", {1, 8, 6, 6}), kImage);
  Value* left = through(net, conv(x, "left", 16, {1, 1}), kHidden);
  Value* right = conv(x, "right", 16, {3, 3}, {{"padding", Ints{1, 1}}});
  Value* sum = unary("relu", net.op("aten.add.Tensor", {{"self", right}, {"other", left}}));
  expect_one_step(through(net, sum, kHidden), kHidden);
  EXPECT_EQ(model.nodes.size(), 4u);
}

TEST_F(LowerToRuntime, PoolsAddsFlattensAndEndsInFloats) {
  Value* x = through(net, net.input("x", {3, 6, 12, 12}), kImage);
  x = net.op("aten.max_pool2d.default",
             {{"self", x}, {"kernel_size", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"padding", Ints{1, 1}}});
  x = through(net, x, kImage);
  x = through(net, net.op("aten.add.Tensor", {{"self", x}, {"other", x}}), kHidden);
  x = through(net, net.op("aten.adaptive_avg_pool2d.default", {{"self", x}, {"output_size", Ints{1, 1}}}), kHidden);
  x = net.op("aten.flatten.using_ints", {{"self", x}, {"start_dim", int64_t{1}}});
  x = through(net, x, kHidden);
  Value* logits =
      net.op("aten.linear.default",
             {{"input", x}, {"weight", int8_weight(net, "w", {11, 6})}, {"bias", net.parameter("b", {11})}});
  const Program program = net.returns({logits});
  // A code that is one off before the last layer moves a sum by a step times the weights, at most 0.64 each.
  EXPECT_LE(run(program).sub(outputs_of(program, net.examples())[0]).abs().max().item<double>(), 6 * 0.05 * 0.64);
  EXPECT_EQ(model.nodes.size(), 6u);
}

TEST_F(LowerToRuntime, FlattensImagesInPyTorchsOrder) {
  Value* x = through(net, net.input("x", {2, 3, 4, 5}), kImage);
  x = through(net, net.op("aten.flatten.using_ints", {{"self", x}, {"start_dim", int64_t{1}}}), kImage);
  expect_one_step(x, kImage);
}

TEST_F(LowerToRuntime, NamesWhatItHasNoKernelFor) {
  Value* x = through(net, net.input("x", {1, 2, 3, 6, 4}), kImage);
  x = net.op("aten.linear.default", {{"input", x}, {"weight", int8_weight(net, "a", {4, 4})}}, "deep");
  x = through(net, x, kHidden);
  const std::string text = refusal(unary("sigmoid", x));
  EXPECT_NE(text.find("1 parts of the program"), std::string::npos) << text;
  EXPECT_NE(text.find("deep (%linear, aten.linear.default): the runtime has no kernel for these dimensions"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace torquant
