#include "torquant/lower/runtime_emit.h"

#include <gtest/gtest.h>

#include "tests/support/runtime_program.h"

namespace torquant {
namespace {

class RuntimeOperators : public RuntimeProgram {
 protected:
  Value* image(const Ints& sizes, const Grid& grid = kImage) { return through(net, net.input("x", sizes), grid); }
  Value* op(const std::string& name, std::vector<NamedArgument> args) {
    return net.op("aten." + name, std::move(args));
  }
  // Codes that only move: not a step of difference.
  void expect_equal(Value* output) {
    const Program program = net.returns({output});
    EXPECT_TRUE(run(program).equal(outputs_of(program, net.examples())[0]));
  }
};

TEST_F(RuntimeOperators, ConvolutionsInGroups) {
  for (const int64_t groups : {2, 5}) {
    net = TestProgram();
    Value* x = image({2, 20, 7, 6});
    x = op("conv2d.default", {{"input", x},
                              {"weight", int8_weight(net, "w", {30, 20 / groups, 3, 3})},
                              {"bias", net.parameter("b", {30})},
                              {"padding", Ints{1, 1}},
                              {"groups", groups}});
    expect_one_step(through(net, unary("relu", x), kHidden), kHidden);
  }
}

TEST_F(RuntimeOperators, ConvolutionsOfSequences) {
  Value* x = image({2, 6, 17});
  x = op("conv1d.default", {{"input", x},
                            {"weight", int8_weight(net, "w", {9, 6, 5})},
                            {"bias", net.parameter("b", {9})},
                            {"stride", Ints{2}},
                            {"padding", Ints{2}}});
  expect_one_step(through(net, x, kHidden), kHidden);
}

TEST_F(RuntimeOperators, ConvolutionsOfVolumes) {
  for (const int64_t groups : {1, 4}) {
    net = TestProgram();
    Value* x = image({2, 4, 5, 7, 6});
    x = op("conv3d.default", {{"input", x},
                              {"weight", int8_weight(net, "w", {12, 4 / groups, 3, 2, 3})},
                              {"bias", net.parameter("b", {12})},
                              {"stride", Ints{2, 1, 2}},
                              {"padding", Ints{2, 1, 1}},
                              {"dilation", Ints{2, 1, 1}},
                              {"groups", groups}});
    expect_one_step(through(net, unary("relu", x), kHidden), kHidden);
  }
}

TEST_F(RuntimeOperators, VolumesMoveAndEndInFloats) {
  Value* x = image({2, 3, 4, 5, 6});
  x = op("conv3d.default", {{"input", x},
                            {"weight", int8_weight(net, "w", {7, 3, 3, 3, 3})},
                            {"bias", net.parameter("b", {7})},
                            {"padding", Ints{1, 1, 1}}});
  x = through(net, op("permute.default", {{"self", through(net, x, kHidden)}, {"dims", Ints{0, 1, 3, 4, 2}}}), kHidden);
  Value* y = op("conv3d.default",
                {{"input", x}, {"weight", int8_weight(net, "v", {5, 7, 2, 1, 1})}, {"bias", net.parameter("c", {5})}});
  const Program program = net.returns({y});
  // A code of the hidden layer may be a step apart: 0.02 times a weight of at most 0.64.
  EXPECT_LE(run(program).sub(outputs_of(program, net.examples())[0]).abs().max().item<double>(), 0.05);
}

TEST_F(RuntimeOperators, ConvolutionsThatEndInFloats) {
  Value* x = image({2, 5, 13, 11});
  Value* y = conv(x, "last", 21, {3, 3}, {{"padding", Ints{1, 1}}});
  const Program program = net.returns({y});
  // One product is at most 5.1 * 0.64; float32 adds up 45 of them in another order.
  EXPECT_LE(run(program).sub(outputs_of(program, net.examples())[0]).abs().max().item<double>(), 1e-4);
}

TEST_F(RuntimeOperators, ProductsAlsoWithScalesOfChannels) {
  Value* x = image({2, 5, 4, 6});
  Value* gate = through(net, op("adaptive_avg_pool2d.default", {{"self", x}, {"output_size", Ints{1, 1}}}), kHalf);
  Value* scaled = through(net, op("mul.Tensor", {{"self", gate}, {"other", x}}), kHidden);
  expect_one_step(through(net, op("mul.Tensor", {{"self", scaled}, {"other", scaled}}), kHidden), kHidden);
}

TEST_F(RuntimeOperators, SumsWithOnePixel) {
  Value* x = image({2, 5, 4, 6});
  Value* mean = through(net, op("adaptive_avg_pool2d.default", {{"self", x}, {"output_size", Ints{1, 1}}}), kHalf);
  expect_one_step(through(net, op("add.Tensor", {{"self", x}, {"other", mean}}), kHidden), kHidden);
}

TEST_F(RuntimeOperators, WhatIsDoneToEachNumberIsATable) {
  Value* x = image({1, 5, 4, 6});
  expect_equal(through(net, unary("sigmoid", through(net, unary("hardswish", x), kHidden)), kHalf));
  EXPECT_EQ(model.nodes.size(), 4u);
}

TEST_F(RuntimeOperators, AveragesOverWindows) {
  Value* x = image({2, 5, 9, 8});
  Value* pooled = op("avg_pool2d.default",
                     {{"self", x}, {"kernel_size", Ints{3, 2}}, {"stride", Ints{2, 2}}, {"padding", Ints{1, 0}}});
  expect_one_step(through(net, pooled, kHalf), kHalf);
}

TEST_F(RuntimeOperators, WindowsThatReachBehindTheImage) {
  Value* x = image({2, 5, 10, 8});
  x = op("max_pool2d.default", {{"self", x},
                                {"kernel_size", Ints{3, 3}},
                                {"stride", Ints{2, 2}},
                                {"padding", Ints{0, 0}},
                                {"dilation", Ints{1, 1}},
                                {"ceil_mode", true}});
  expect_equal(through(net, x, kImage));
}

TEST_F(RuntimeOperators, ChannelsBehindOneAnother) {
  Value* x = image({2, 5, 4, 6});
  Value* y = through(net, conv(x, "a", 3, {3, 3}, {{"padding", Ints{1, 1}}}), kImage);
  Value* all =
      through(net, op("cat.default", {{"tensors", std::vector<Value*>{x, y, x}}, {"dim", int64_t{1}}}), kImage);
  expect_one_step(through(net, conv(all, "b", 4, {3, 3}, {{"padding", Ints{1, 1}}}), kHidden), kHidden);
}

TEST_F(RuntimeOperators, ShufflesChannelsWithOneTable) {
  Value* x = image({2, 6, 4, 5});
  x = op("view.default", {{"self", x}, {"size", Ints{2, 2, 3, 4, 5}}});
  x = op("transpose.int", {{"self", x}, {"dim0", int64_t{1}}, {"dim1", int64_t{2}}});
  x = op("reshape.default", {{"self", x}, {"shape", Ints{2, 6, 4, 5}}});
  expect_equal(through(net, x, kImage));
  EXPECT_EQ(model.nodes.size(), 3u);
}

TEST_F(RuntimeOperators, SlicesPermutesAndShufflesPixels) {
  Value* x = image({1, 8, 6, 7});
  x = op("slice.Tensor", {{"self", x}, {"dim", int64_t{3}}, {"start", int64_t{1}}, {"end", int64_t{-1}}});
  x = op("slice.Tensor", {{"self", through(net, x, kImage)}, {"dim", int64_t{1}}, {"start", int64_t{4}}});
  x = op("permute.default", {{"self", through(net, x, kImage)}, {"dims", Ints{0, 1, 3, 2}}});
  x = op("pixel_shuffle.default", {{"self", through(net, x, kImage)}, {"upscale_factor", int64_t{2}}});
  expect_equal(through(net, x, kImage));
  EXPECT_EQ(model.nodes.size(), 3u) << "quantize, one movement, dequantize";
}

TEST_F(RuntimeOperators, RepeatsPixels) {
  Value* x = image({2, 3, 3, 4});
  x = op("upsample_nearest2d.vec", {{"input", x}, {"output_size", Ints{6, 12}}, {"scale_factors", std::monostate{}}});
  expect_equal(through(net, x, kImage));
}

TEST_F(RuntimeOperators, RefusesWhatMixesTheImagesOfABatch) {
  Value* x = image({2, 3, 3, 4});
  x = op("permute.default", {{"self", x}, {"dims", Ints{1, 0, 2, 3}}});
  const std::string text = refusal(through(net, x, kImage));
  EXPECT_NE(text.find("%permute (aten.permute.default): the runtime has no kernel for it"), std::string::npos) << text;
}

}  // namespace
}  // namespace torquant
