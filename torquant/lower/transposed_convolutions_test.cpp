#include "torquant/lower/transposed_convolutions.h"

#include <gtest/gtest.h>

#include "tests/support/runtime_program.h"
#include "torquant/graph/verifier.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

class TransposedConvolutions : public RuntimeProgram {
 protected:
  // int8 codes with a scale for each output channel, dequantized.
  Value* weight(const Ints& sizes, int64_t axis = 1) {
    Value* codes = net.buffer("w", at::randint(-127, 128, sizes).to(at::kChar));
    const int64_t channels = sizes[static_cast<size_t>(axis)];
    Value* scales = net.buffer("w_scale", at::rand({channels}) * 0.004 + 0.001);
    Value* zero_points = net.buffer("w_zero_point", at::randint(0, 1, {channels}));
    return net.op("quantized_decomposed.dequantize_per_channel.default", {{"input", codes},
                                                                          {"scales", scales},
                                                                          {"zero_points", zero_points},
                                                                          {"axis", axis},
                                                                          {"quant_min", int64_t{-127}},
                                                                          {"quant_max", int64_t{127}},
                                                                          {"dtype", at::kChar}});
  }
  Value* transposed(Value* x, const Ints& sizes, std::vector<NamedArgument> more = {}) {
    std::vector<NamedArgument> args = {{"input", x}, {"weight", weight(sizes)}};
    args.insert(args.end(), more.begin(), more.end());
    const char* by_rank[] = {"1d.default", "2d.input", "3d.input"};
    return net.op(std::string("aten.conv_transpose") + by_rank[sizes.size() - 3], std::move(args), "up");
  }

  // The pass leaves no transposed convolution and changes no code, on LibTorch; the runtime is at most a step off.
  void expect_same(Value* output, const Grid& grid) {
    Program program = net.returns({output});
    const at::Tensor before = outputs_of(program, net.examples())[0];
    EXPECT_TRUE(rewrite_transposed_convolutions(program).changed);
    remove_dead_nodes(program);
    verify(program);
    const at::Tensor after = outputs_of(program, net.examples())[0];
    ASSERT_EQ(after.sizes(), before.sizes());
    // Float32 adds up the products in another order: a code that is half way between two may move.
    const at::Tensor steps = after.sub(before).abs().div(grid.scale);
    EXPECT_LE(steps.max().item<double>(), 1.001);
    EXPECT_LE(steps.mean().item<double>(), 0.001);
    EXPECT_FALSE(rewrite_transposed_convolutions(program).changed);
    expect_one_step(output, grid);
  }

  std::string reason_of(Value* output) {
    Program program = net.returns({output});
    const PassResult result = rewrite_transposed_convolutions(program);
    EXPECT_FALSE(result.changed);
    return result.refusals.size() == 1 ? result.refusals[0].reason : "";
  }
};

struct Geometry {
  Ints kernel, stride, padding, extra, dilation;
};

TEST_F(TransposedConvolutions, OfAllGeometries) {
  const std::vector<Geometry> geometries = {
      {{2, 2}, {2, 2}, {0, 0}, {0, 0}, {1, 1}}, {{4, 4}, {2, 2}, {1, 1}, {0, 0}, {1, 1}},
      {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}, {{3, 3}, {2, 2}, {1, 1}, {0, 0}, {1, 1}},  // an odd size: a crop
      {{3, 2}, {1, 1}, {0, 1}, {0, 0}, {1, 1}}, {{1, 1}, {1, 1}, {1, 2}, {0, 0}, {1, 1}},  // a crop alone
      {{3, 4}, {3, 2}, {2, 1}, {1, 0}, {1, 1}}, {{2, 2}, {4, 3}, {0, 1}, {3, 2}, {1, 1}},  // phases without taps
      {{3, 3}, {2, 3}, {1, 2}, {1, 0}, {2, 2}}, {{3, 2}, {2, 4}, {3, 0}, {0, 1}, {3, 6}}};
  for (const Geometry& geometry : geometries) {
    net = TestProgram();
    Value* x = through(net, net.input("x", {2, 3, 5, 6}), kImage);
    Value* y = transposed(x, {3, 4, geometry.kernel[0], geometry.kernel[1]},
                          {{"bias", net.parameter("b", {4})},
                           {"stride", geometry.stride},
                           {"padding", geometry.padding},
                           {"output_padding", geometry.extra},
                           {"dilation", geometry.dilation}});
    SCOPED_TRACE(testing::Message() << "stride " << geometry.stride[0] << ", " << geometry.stride[1] << ", padding "
                                    << geometry.padding[0] << ", " << geometry.padding[1]);
    expect_same(through(net, y, kHidden), kHidden);
  }
}

TEST_F(TransposedConvolutions, InGroups) {
  for (const Ints& sizes : {Ints{6, 2, 3, 3}, Ints{6, 1, 2, 2}}) {
    for (const int64_t groups : {2, 3, 6}) {
      net = TestProgram();
      Value* x = through(net, net.input("x", {1, 6, 5, 4}), kImage);
      Value* y = transposed(x, sizes,
                            {{"bias", net.parameter("b", {sizes[1] * groups})},
                             {"stride", Ints{2, 2}},
                             {"padding", Ints{1, 1}},
                             {"groups", groups}});
      expect_same(through(net, unary("relu", y), kHidden), kHidden);
    }
  }
}

TEST_F(TransposedConvolutions, OfSequences) {
  for (const int64_t padding : {0, 1, 2}) {
    net = TestProgram();
    Value* x = through(net, net.input("x", {2, 5, 7}), kImage);
    Value* y = transposed(x, {5, 3, 4}, {{"stride", Ints{3}}, {"padding", Ints{padding}}});
    expect_same(through(net, y, kHidden), kHidden);
  }
}

TEST_F(TransposedConvolutions, OfVolumes) {
  for (const int64_t extra : {0, 1}) {
    net = TestProgram();
    Value* x = through(net, net.input("x", {2, 3, 4, 3, 5}), kImage);
    Value* y =
        transposed(x, {3, 4, 3, 2, 3},
                   {{"stride", Ints{2, 3, 2}}, {"padding", Ints{1, 0, 1}}, {"output_padding", Ints{extra, 0, 1}}});
    expect_same(through(net, y, kHidden), kHidden);
  }
}

TEST_F(TransposedConvolutions, WithOneScaleForTheWeightAndAnActivationBehind) {
  Value* x = through(net, net.input("x", {1, 4, 5, 5}), kSigned);
  const Grid grid{.scale = 0.003, .zero_point = 0, .min = -127, .max = 127, .dtype = at::kChar};
  Value* one_scale = dequantize(net, net.buffer("w", at::randint(-127, 128, {4, 6, 2, 2}).to(at::kChar)), grid);
  Value* y = net.op("aten.conv_transpose2d.input", {{"input", x}, {"weight", one_scale}, {"stride", Ints{2, 2}}});
  y = net.op("aten.hardtanh.default", {{"self", y}, {"min_val", 0.0}, {"max_val", 3.0}});
  expect_one_step(through(net, y, kSigned), kSigned);
  EXPECT_EQ(model.nodes.size(), 4u) << "quantize, a layer, one movement, dequantize";
}

TEST_F(TransposedConvolutions, BetweenLayersKeepTheNamesOfTheProgram) {
  Value* x = through(net, net.input("x", {1, 4, 5, 5}), kImage);
  Value* up = quantize(net, transposed(x, {4, 6, 2, 2}, {{"stride", Ints{2, 2}}}), kHidden);
  Value* y = conv(dequantize(net, up, kHidden), "next", 3, {3, 3}, {{"padding", Ints{1, 1}}});
  expect_one_step(through(net, y, kHalf), kHalf);
  EXPECT_EQ(model.values[3].name, up->name());
  EXPECT_EQ(model.values[3].sizes, (Ints{1, 6, 10, 10}));
}

TEST_F(TransposedConvolutions, RefusesFloats) {
  Value* y = net.op("aten.conv_transpose2d.input",
                    {{"input", net.input("z", {1, 4, 5, 5})}, {"weight", weight({4, 6, 2, 2})}});
  EXPECT_EQ(reason_of(through(net, y, kHidden)), "its input is not quantized to 8 bits with one scale");
}

TEST_F(TransposedConvolutions, RefusesOtherWeights) {
  const auto with_weight = [&](const std::function<Value*()>& weight) {
    net = TestProgram();
    Value* x = through(net, net.input("x", {1, 4, 5, 5}), kImage);
    Value* y = net.op("aten.conv_transpose2d.input", {{"input", x}, {"weight", weight()}});
    return reason_of(through(net, y, kHidden));
  };
  const std::string expected = "its weight is not int8 with scales along axis 1 and zero points 0";
  EXPECT_EQ(with_weight([&] { return net.parameter("w", {4, 6, 2, 2}); }), expected);
  EXPECT_EQ(with_weight([&] { return weight({4, 6, 2, 2}, 0); }), expected);
}

TEST_F(TransposedConvolutions, ThatEndInFloats) {
  for (const int64_t extra : {0, 1}) {
    net = TestProgram();
    Value* x = through(net, net.input("x", {2, 4, 5, 5}), kImage);
    Value* y = transposed(x, {4, 6, 3, 3},
                          {{"stride", Ints{2, 2}}, {"padding", Ints{1, 1}}, {"output_padding", Ints{extra, extra}}});
    const Program program = net.returns({y});
    // One product is at most 5.1 * 0.64; float32 adds up 16 of them in another order.
    EXPECT_LE(run(program).sub(outputs_of(program, net.examples())[0]).abs().max().item<double>(), 1e-4);
    EXPECT_EQ(model.values[model.outputs[0]].name, y->name());
  }
}

TEST_F(TransposedConvolutions, RefusesOtherInputs) {
  Value* x = through(net, net.input("x", {4, 5, 5}), kImage);
  EXPECT_EQ(reason_of(through(net, transposed(x, {4, 6, 2, 2}), kHidden)), "its input has no batch dimension");

  net = TestProgram();
  x = through(net, net.input("x", {1, 4, 5, 5}), kImage);
  Value* y = transposed(x, {4, 2, 2, 2}, {{"bias", net.input("b", {2})}});
  EXPECT_EQ(reason_of(through(net, y, kHidden)), "its bias is computed");

  net = TestProgram();
  x = through(net, net.input("x", {1, 4, 1, 1}), kImage);
  y = transposed(x, {4, 4, 1, 1}, {{"stride", Ints{5000, 5000}}});
  EXPECT_EQ(reason_of(through(net, y, kHidden)), "as an ordinary convolution it has 400000000 weights");
}

}  // namespace
}  // namespace torquant
