#include "torquant/lower/runtime_float_layer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/runtime_program.h"
#include "torquant/format/describe.h"

// Programs in float, and layers left in float between quantized ones.
namespace torquant {
namespace {

class RuntimeFloatLayers : public RuntimeProgram {
 protected:
  Value* op(const std::string& name, std::vector<NamedArgument> args) {
    return net.op("aten." + name, std::move(args));
  }
  Value* conv2d(Value* x, const std::string& name, const Ints& weight, std::vector<NamedArgument> more = {}) {
    std::vector<NamedArgument> args = {{"input", x},
                                       {"weight", net.parameter(name + ".w", weight)},
                                       {"bias", net.parameter(name + ".b", {weight[0]})}};
    args.insert(args.end(), more.begin(), more.end());
    return op("conv2d.default", std::move(args));
  }

  // Both sum in float32, at most `depth` products in a row, each in its own order: each is within depth · u · Σ |x w|
  // of the true value (u = 2^-24), and Σ |x w| within `terms` times the greatest number of the output.
  void expect_close(Value* output, double depth, double terms = 20) {
    const Program program = net.returns({output});
    const at::Tensor expected = outputs_of(program, net.examples())[0];
    const double bound = 2 * depth * 0x1p-24 * terms * expected.abs().max().item<double>();
    EXPECT_LE(run(program).sub(expected).abs().max().item<double>(), bound) << output->producer()->describe();
  }
  // The kinds of the model's nodes, in order.
  std::string kinds() const {
    std::string all;
    for (const format::Node& node : model.nodes) all += std::string(format::kind_of(node.operation)) + " ";
    return all;
  }
  const format::FloatLayer& layer(size_t node) const {
    return std::get<format::FloatLayer>(model.nodes[node].operation);
  }
};

TEST_F(RuntimeFloatLayers, AreLinearLayers) {
  Value* x = net.input("x", {3, 40});
  expect_close(net.relu(net.linear(x, "fc", 21)), 40);
  EXPECT_EQ(kinds(), "FloatLayer ");
  EXPECT_EQ(layer(0).lo, 0);
  net = TestProgram();
  x = net.input("x", {2, 7, 24});
  Value* wide = op("gelu.default", {{"self", net.linear(x, "up", 50)}});
  expect_close(op("add.Tensor", {{"self", x}, {"other", net.linear(wide, "down", 24, false)}}), 80);
  EXPECT_EQ(kinds(), "FloatLayer FloatMap FloatLayer ");
  EXPECT_EQ(layer(2).residual, 0);
}

TEST_F(RuntimeFloatLayers, AreConvolutionsWhoseImagesStayChannelsLast) {
  Value* x = net.input("x", {2, 3, 12, 11});
  Value* stem = net.relu(
      net.batch_norm(conv2d(x, "stem", {20, 3, 3, 3}, {{"stride", Ints{2, 2}}, {"padding", Ints{1, 1}}}), "bn"));
  Value* deep = op("hardtanh.default",
                   {{"self", conv2d(stem, "deep", {20, 1, 3, 3}, {{"padding", Ints{1, 1}}, {"groups", int64_t{20}}})},
                    {"min_val", 0.0},
                    {"max_val", 6.0}});
  Value* sum = op("add.Tensor", {{"self", conv2d(deep, "point", {20, 20, 1, 1})}, {"other", stem}});
  Value* pooled =
      op("max_pool2d.default", {{"self", net.relu(sum)}, {"kernel_size", Ints{2, 2}}, {"stride", Ints{2, 2}}});
  Value* mean = op("adaptive_avg_pool2d.default", {{"self", pooled}, {"output_size", Ints{1, 1}}});
  Value* flat = op("flatten.using_ints", {{"self", mean}, {"start_dim", int64_t{1}}});
  expect_close(net.linear(flat, "fc", 5), 27 + 9 + 20 + 9 + 20);
  EXPECT_EQ(kinds(), "Rearrange FloatLayer FloatLayer FloatLayer FloatPool FloatPool Rearrange FloatLayer ");
  EXPECT_TRUE(layer(2).depthwise);
  EXPECT_EQ(layer(2).hi, 6);
  EXPECT_EQ(layer(3).residual, int64_t{layer(1).output});
  EXPECT_EQ(layer(3).lo, 0);
}

TEST_F(RuntimeFloatLayers, AreConvolutionsOfAllKinds) {
  expect_close(conv2d(net.input("x", {2, 6, 9, 8}), "groups", {8, 3, 3, 3}, {{"groups", int64_t{2}}}), 27);
  net = TestProgram();
  expect_close(conv2d(net.input("x", {1, 5, 9, 8}), "dilated", {7, 5, 3, 2},
                      {{"dilation", Ints{2, 3}}, {"padding", Ints{2, 1}}}),
               30);
  net = TestProgram();
  expect_close(op("conv1d.default", {{"input", net.input("x", {2, 5, 17})},
                                     {"weight", net.parameter("w", {6, 5, 3})},
                                     {"bias", std::monostate{}},
                                     {"stride", Ints{2}},
                                     {"padding", Ints{1}}}),
               15);
  EXPECT_EQ(kinds(), "Rearrange FloatLayer Rearrange ");
}

TEST_F(RuntimeFloatLayers, TakeZerosAroundTheirImagesAsPadding) {
  const auto padded = [&](const Ints& pad, double value) {
    net = TestProgram();
    Value* x = op("pad.default", {{"self", net.input("x", {2, 3, 8, 9})}, {"pad", pad}, {"value", value}});
    return conv2d(x, "conv", {6, 3, 3, 3}, {{"stride", Ints{2, 2}}});
  };
  expect_close(padded({0, 1, 1, 2}, 0), 27);
  EXPECT_EQ(kinds(), "Rearrange FloatLayer Rearrange ");
  EXPECT_NE(refusal(padded({0, 1, 1, 2}, 0.5)).find("aten.pad.default"), std::string::npos);
  EXPECT_NE(refusal(padded({0, 3, 0, 0}, 0)).find("aten.pad.default"), std::string::npos);
}

TEST_F(RuntimeFloatLayers, TakeFunctionsSumsAndPoolsAlong) {
  Value* x = conv2d(net.input("x", {2, 4, 8, 8}), "a", {12, 4, 1, 1});
  Value* gate =
      op("sigmoid.default", {{"self", conv2d(op("mean.dim", {{"self", x}, {"dim", Ints{2, 3}}, {"keepdim", true}}),
                                             "gate", {12, 12, 1, 1})}});
  Value* gated = op("mul.Tensor", {{"self", op("silu.default", {{"self", x}})}, {"other", gate}});
  Value* pooled = op("avg_pool2d.default", {{"self", gated}, {"kernel_size", Ints{2, 2}}});
  expect_close(op("sub.Tensor", {{"self", pooled}, {"other", conv2d(pooled, "b", {12, 12, 1, 1})}}), 60);
  EXPECT_EQ(kinds(),
            "Rearrange FloatLayer FloatPool FloatLayer FloatMap FloatMap FloatBinary FloatPool FloatLayer FloatBinary "
            "Rearrange ");
}

TEST_F(RuntimeFloatLayers, StandBetweenQuantizedOnes) {
  Value* x = through(net, net.input("x", {2, 3, 8, 8}), kImage);
  Value* first = through(net, net.relu(conv(x, "first", 8, {3, 3})), kImage);
  Value* skipped = through(net, net.relu(conv2d(first, "skipped", {8, 8, 1, 1})), kImage);
  expect_one_step(conv(skipped, "last", 4, {1, 1}), kImage);
  EXPECT_NE(kinds().find("Dequantize Rearrange FloatLayer Rearrange Quantize"), std::string::npos) << kinds();
}

TEST_F(RuntimeFloatLayers, HaveAttentionInFloatBesideThem) {
  Value* x = net.input("x", {2, 6, 16});
  const auto heads = [&](const char* name) {
    Value* rows = op("view.default", {{"self", net.linear(x, name, 16)}, {"size", Ints{2, 6, 2, 8}}});
    return op("transpose.int", {{"self", rows}, {"dim0", int64_t{1}}, {"dim1", int64_t{2}}});
  };
  Value* attention =
      op("scaled_dot_product_attention.default", {{"query", heads("q")}, {"key", heads("k")}, {"value", heads("v")}});
  Value* rows = op("transpose.int", {{"self", attention}, {"dim0", int64_t{1}}, {"dim1", int64_t{2}}});
  expect_close(net.linear(op("reshape.default", {{"self", rows}, {"shape", Ints{2, 6, 16}}}), "out", 16), 80, 100);
  EXPECT_EQ(kinds(), "FloatLayer FloatLayer FloatLayer Attention FloatLayer ");
  EXPECT_TRUE(std::get<format::Attention>(model.nodes[3].operation).in_float);
}

TEST_F(RuntimeFloatLayers, AreRefusedWhereTheRuntimeHasNoKernel) {
  Value* x = net.input("x", {1, 3, 4, 8, 8});
  Value* volume = op("conv3d.default", {{"input", x}, {"weight", net.parameter("w", {4, 3, 1, 1, 1})}});
  EXPECT_NE(refusal(volume).find("aten.conv3d.default"), std::string::npos) << refusal(volume);
}

}  // namespace
}  // namespace torquant
