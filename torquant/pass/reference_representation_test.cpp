#include "torquant/pass/reference_representation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "tests/support/test_program.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

struct Grid {
  double scale;
  int64_t zero_point;
  int64_t min = -128;
  int64_t max = 127;
};
constexpr Grid kX{0.031, 7};
constexpr Grid kW{0.012, 0, -127, 127};
constexpr Grid kY{0.043, -11};
constexpr Grid kOut{0.057, -20};

std::vector<NamedArgument> with_grid(Value* input, const Grid& grid, at::ScalarType dtype = at::kChar) {
  return {{"input", input},        {"scale", grid.scale},   {"zero_point", grid.zero_point},
          {"quant_min", grid.min}, {"quant_max", grid.max}, {"dtype", dtype}};
}

class ReferenceRepresentation : public testing::Test {
 protected:
  Value* quantize(Value* x, const Grid& grid, at::ScalarType dtype = at::kChar) {
    return net.op("quantized_decomposed.quantize_per_tensor.default", with_grid(x, grid, dtype));
  }
  Value* dequantize(Value* codes, const Grid& grid, at::ScalarType dtype = at::kChar) {
    return net.op("quantized_decomposed.dequantize_per_tensor.default", with_grid(codes, grid, dtype));
  }
  // An input of random codes.
  Value* codes(const std::string& name, const std::vector<int64_t>& sizes) {
    Value* value = net.input(name, sizes, at::kChar);
    const_cast<at::Tensor&>(net.examples().back()).copy_(at::randint(-128, 128, sizes));
    return value;
  }
  Value* weight(const std::vector<int64_t>& sizes) {
    return net.buffer("weight", at::randint(-127, 128, sizes).to(at::kChar));
  }

  // The output of the rewritten program, of which no quantize or dequantize node is left.
  at::Tensor rewritten(Value* output) {
    Program program = net.returns({output});
    EXPECT_TRUE(rewrite_as_reference_representation(program).changed);
    remove_dead_nodes(program);
    for (const Node& node : program.graph()) {
      EXPECT_FALSE(ops::is_quantize(node.op()) || ops::is_dequantize(node.op())) << node.describe();
    }
    EXPECT_FALSE(rewrite_as_reference_representation(program).changed);
    after = program.clone();
    return outputs_of(program, net.examples())[0];
  }

  at::Tensor example(size_t i, const Grid& grid) {  // code - zero point, exact
    return net.examples()[i].to(at::kDouble) - grid.zero_point;
  }
  at::Tensor state(const char* name) { return *net.program().find_state(name); }

  // clamp(trunc(acc * (sx * sw / so)) + zo): the multiplier and the product are rounded to float.
  static at::Tensor requantize(const at::Tensor& acc, const Grid& x, const Grid& w, const Grid& out) {
    const float multiplier = static_cast<float>(x.scale) * static_cast<float>(w.scale) / static_cast<float>(out.scale);
    const at::Tensor scaled = (acc.to(at::kFloat) * at::tensor(multiplier)).trunc();
    return (scaled + out.zero_point).clamp(out.min, out.max).to(at::kChar);
  }
  static at::Tensor integer_bias(const at::Tensor& bias, const Grid& x, const Grid& w) {
    return (bias / at::tensor(static_cast<float>(x.scale) * static_cast<float>(w.scale))).trunc().to(at::kDouble);
  }

  TestProgram net;
  Program after;
};

TEST_F(ReferenceRepresentation, LinearAccumulatesIntegersAndTruncates) {
  Value* x = dequantize(codes("x", {5, 16}), kX);
  Value* w = dequantize(weight({6, 16}), kW);
  Value* y = net.op("aten.linear.default", {{"input", x}, {"weight", w}, {"bias", net.parameter("bias", {6})}}, "fc");
  const at::Tensor actual = rewritten(quantize(y, kOut));
  const at::Tensor acc =
      at::linear(example(0, kX), state("weight").to(at::kDouble)) + integer_bias(state("bias"), kX, kW);
  EXPECT_TRUE(at::equal(actual, requantize(acc, kX, kW, kOut)));
  EXPECT_EQ(only_node(after, "aten.linear.default"), nullptr);
  EXPECT_EQ(after.graph().begin()->module_path(), "fc");
}

TEST_F(ReferenceRepresentation, LinearWithoutBias) {
  Value* x = dequantize(codes("x", {2, 3, 16}), kX);
  Value* w = dequantize(weight({6, 16}), kW);
  const at::Tensor actual = rewritten(quantize(net.op("aten.linear.default", {{"input", x}, {"weight", w}}), kOut));
  EXPECT_TRUE(at::equal(actual, requantize(at::linear(example(0, kX), state("weight").to(at::kDouble)), kX, kW, kOut)));
}

TEST_F(ReferenceRepresentation, Convolution) {
  Value* x = dequantize(codes("x", {2, 4, 7, 7}), kX);
  Value* w = dequantize(weight({6, 2, 3, 3}), kW);
  Value* y = net.op("aten.convolution.default", {{"input", x},
                                                 {"weight", w},
                                                 {"bias", net.parameter("bias", {6})},
                                                 {"stride", std::vector<int64_t>{2, 1}},
                                                 {"padding", std::vector<int64_t>{1, 1}},
                                                 {"dilation", std::vector<int64_t>{1, 1}},
                                                 {"transposed", false},
                                                 {"output_padding", std::vector<int64_t>{0, 0}},
                                                 {"groups", int64_t{2}}});
  const at::Tensor actual = rewritten(quantize(y, kOut));
  const at::Tensor acc =
      at::conv2d(example(0, kX), state("weight").to(at::kDouble), {}, {2, 1}, {1, 1}, at::IntArrayRef{1, 1}, 2) +
      integer_bias(state("bias"), kX, kW).reshape({6, 1, 1});
  EXPECT_TRUE(at::equal(actual, requantize(acc, kX, kW, kOut)));
}

TEST_F(ReferenceRepresentation, AddRoundsEachOperandToStepsOfTheOutput) {
  Value* x = dequantize(codes("x", {64}), kX);
  Value* y = dequantize(codes("y", {64}), kY);
  const at::Tensor actual = rewritten(quantize(net.op("aten.add.Tensor", {{"self", x}, {"other", y}}), kOut));
  const auto steps = [&](size_t i, const Grid& grid) {
    const float ratio = static_cast<float>(grid.scale) / static_cast<float>(kOut.scale);
    return (example(i, grid).to(at::kFloat) * at::tensor(ratio)).round();
  };
  const at::Tensor expected = (steps(0, kX) + steps(1, kY) + kOut.zero_point).clamp(-128, 127).to(at::kChar);
  EXPECT_TRUE(at::equal(actual, expected));
}

TEST_F(ReferenceRepresentation, AddReluTruncatesEachOperandAndStartsAtTheZeroPoint) {
  Value* x = dequantize(codes("x", {64}), kX);
  Value* y = dequantize(codes("y", {64}), kY);
  Value* sum = net.relu(net.op("aten.add.Tensor", {{"self", x}, {"other", y}}));
  const at::Tensor actual = rewritten(quantize(sum, kOut));
  const auto steps = [&](size_t i, const Grid& grid) {
    const float ratio = static_cast<float>(grid.scale) / static_cast<float>(kOut.scale);
    return (example(i, grid).to(at::kFloat) * at::tensor(ratio)).trunc();
  };
  const at::Tensor expected = (steps(0, kX) + steps(1, kY) + kOut.zero_point).clamp(kOut.zero_point, 127).to(at::kChar);
  EXPECT_TRUE(at::equal(actual, expected));
}

TEST_F(ReferenceRepresentation, MaxPoolOnIntegers) {
  Value* x = dequantize(codes("x", {1, 2, 6, 6}), kX);
  Value* y = net.op("aten.max_pool2d_with_indices.default",
                    {{"self", x}, {"kernel_size", std::vector<int64_t>{3, 3}}, {"stride", std::vector<int64_t>{2, 2}}},
                    "", "", 2);
  const at::Tensor actual = rewritten(quantize(y, kOut));
  const at::Tensor largest = at::max_pool2d(example(0, kX), {3, 3}, {2, 2}).to(at::kFloat);
  const float ratio = static_cast<float>(kX.scale) / static_cast<float>(kOut.scale);
  const at::Tensor expected = (largest * at::tensor(ratio) + kOut.zero_point).clamp(-128, 127).to(at::kChar);
  EXPECT_TRUE(at::equal(actual, expected));
}

TEST_F(ReferenceRepresentation, QuantizeDividesByTheScale) {
  const at::Tensor actual = rewritten(quantize(net.input("x", {1000}), kX));
  const at::Tensor expected =
      ((net.examples()[0] / at::tensor(static_cast<float>(kX.scale))).round() + kX.zero_point).clamp(-128, 127);
  EXPECT_TRUE(at::equal(actual, expected.to(at::kChar)));
}

TEST_F(ReferenceRepresentation, DequantizeGivesTheOperatorsBits) {
  Value* y = dequantize(codes("x", {256}), kX);
  const Program before = net.returns({y});
  EXPECT_TRUE(at::equal(rewritten(y), outputs_of(before, net.examples())[0]));
}

TEST_F(ReferenceRepresentation, PerChannelAlongAnyAxis) {
  for (const int64_t axis : {0, 1, 2, -1}) {
    net = TestProgram();
    const int64_t channels = std::vector<int64_t>{3, 4, 5}[static_cast<size_t>(axis < 0 ? 2 : axis)];
    std::vector<NamedArgument> args = {{"input", net.input("x", {3, 4, 5})},
                                       {"scales", net.positive("s", {channels})},
                                       {"zero_points", net.buffer("z", at::randint(-5, 5, {channels}))},
                                       {"axis", axis},
                                       {"quant_min", int64_t{-127}},
                                       {"quant_max", int64_t{127}},
                                       {"dtype", at::kChar}};
    args[0].value = net.op("quantized_decomposed.quantize_per_channel.default", args);
    Value* y = net.op("quantized_decomposed.dequantize_per_channel.default", args);
    const Program before = net.returns({y});
    // Divided, not multiplied by the reciprocal: equal but at ties, which random reals do not hit.
    EXPECT_TRUE(at::equal(rewritten(y), outputs_of(before, net.examples())[0])) << "axis " << axis;
  }
}

TEST_F(ReferenceRepresentation, DynamicLinearGivesReals) {
  Value* x = net.input("x", {4, 16});
  Value* scale = net.op(
      "quantized_decomposed.choose_qparams.tensor",
      {{"input", x}, {"quant_min", int64_t{-128}}, {"quant_max", int64_t{127}}, {"eps", 0x1p-12}, {"dtype", at::kChar}},
      "", "", 2);
  std::vector<NamedArgument> args = with_grid(x, kX);
  args[1].value = scale;
  args[2].value = scale->producer()->values()[1];
  args[0].value = net.op("quantized_decomposed.quantize_per_tensor.tensor", args);
  Value* dequantized = net.op("quantized_decomposed.dequantize_per_tensor.tensor", args);
  Value* y = net.op(
      "aten.linear.default",
      {{"input", dequantized}, {"weight", dequantize(weight({6, 16}), kW)}, {"bias", net.parameter("bias", {6})}});
  const at::Tensor expected = outputs_of(net.returns({y}), net.examples())[0];
  const at::Tensor actual = rewritten(y);
  EXPECT_EQ(actual.scalar_type(), at::kFloat);
  // The integers are the same; the bias is off by less than one step sx * sw, the rest by roundings of the floats.
  const double sx = (net.examples()[0].max() - net.examples()[0].min()).item<double>() / 255;
  EXPECT_LT((actual - expected).abs().max().item<double>(), 1.01 * sx * kW.scale);
}

// What PyTorch's rewrite does not know stays a float operator between integer quantize and dequantize.
TEST_F(ReferenceRepresentation, LeavesConv2dInFloat) {
  Value* x = dequantize(codes("x", {1, 2, 5, 5}), kX);
  Value* y = net.op("aten.conv2d.default", {{"input", x}, {"weight", dequantize(weight({3, 2, 3, 3}), kW)}});
  rewritten(quantize(y, kOut));
  EXPECT_NE(only_node(after, "aten.conv2d.default"), nullptr);
}

TEST_F(ReferenceRepresentation, LeavesAnAddThatWasWrittenInPlace) {
  Value* x = dequantize(codes("x", {64}), kX);
  Value* y = dequantize(codes("y", {64}), kY);
  Value* sum = net.op("aten.add.Tensor", {{"self", x}, {"other", y}});
  sum->producer()->set_metadata(kWrittenInPlaceKey, "true");
  rewritten(quantize(sum, kOut));
  EXPECT_EQ(count_nodes(after, "higher_order.out_dtype"), 0u);
  EXPECT_EQ(count_nodes(after, "aten.div.Tensor"), 1u) << "of the quantize node alone";
}

TEST_F(ReferenceRepresentation, LeavesALayerThatOthersRead) {
  Value* x = dequantize(codes("x", {5, 16}), kX);
  Value* y = net.op("aten.linear.default", {{"input", x}, {"weight", dequantize(weight({6, 16}), kW)}});
  Program program = net.returns({quantize(y, kOut), y});
  rewrite_as_reference_representation(program);
  EXPECT_NE(only_node(program, "aten.linear.default"), nullptr);
}

TEST_F(ReferenceRepresentation, LeavesOtherDtypes) {
  constexpr Grid kUnsigned{0.1, 128, 0, 255};
  Value* q = quantize(net.input("x", {8}), kUnsigned, at::kByte);
  Program program = net.returns({dequantize(q, kUnsigned, at::kByte)});
  EXPECT_FALSE(rewrite_as_reference_representation(program).changed);
}

TEST_F(ReferenceRepresentation, RefusesToQuantizeBFloat16) {
  Program program = net.returns({quantize(net.input("x", {8}, at::kBFloat16), kX)});
  const PassResult result = rewrite_as_reference_representation(program);
  EXPECT_FALSE(result.changed);
  ASSERT_EQ(result.refusals.size(), 1u);
  EXPECT_EQ(result.refusals[0].reason, "it quantizes BFloat16: integer arithmetic is written for float32 values");
}

TEST_F(ReferenceRepresentation, RefusesToQuantizePerToken) {
  Value* scales = net.input("scales", {2, 1}, at::kDouble);
  Value* zero_points = net.input("zero_points", {2, 1}, at::kLong);
  Value* codes = net.op("quantized_decomposed.quantize_per_token.default", {{"input", net.input("x", {2, 8})},
                                                                            {"scales", scales},
                                                                            {"zero_points", zero_points},
                                                                            {"quant_min", int64_t{-128}},
                                                                            {"quant_max", int64_t{127}},
                                                                            {"dtype", at::kChar}});
  Program program = net.returns({codes});
  const PassResult result = rewrite_as_reference_representation(program);
  EXPECT_FALSE(result.changed);
  ASSERT_EQ(result.refusals.size(), 1u);
  EXPECT_EQ(result.refusals[0].reason,
            "it quantizes per token: integer arithmetic is written per tensor and per channel");
}

}  // namespace
}  // namespace torquant
