#include "torquant/lower/onednn.h"

#include <ATen/ops/div.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_qdq.h"
#include "torquant/graph/verifier.h"
#include "torquant/io/pt2.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

class LowerToOnednn : public testing::Test {
 protected:
  // conv1d, conv2d or conv3d, as many dimensions as the image has.
  Value* conv(Value* x, const std::string& name, int64_t out, int64_t groups = 1) {
    const int64_t in = std::get<int64_t>(x->tensor().sizes[1]);
    const size_t rank = x->tensor().rank() - 2;
    Ints weight = {out, in / groups};
    weight.resize(2 + rank, 3);
    return net.op("aten.conv" + std::to_string(rank) + "d.default",
                  {{"input", x},
                   {"weight", int8_weight(net, name, weight)},
                   {"bias", net.parameter(name + ".bias", {out})},
                   {"padding", Ints(rank, 1)},
                   {"groups", groups}},
                  name);
  }
  Value* linear(Value* x, const std::string& name, int64_t out) {
    const int64_t in = std::get<int64_t>(x->tensor().sizes.back());
    return net.op(
        "aten.linear.default",
        {{"input", x}, {"weight", int8_weight(net, name, {out, in})}, {"bias", net.parameter(name + ".bias", {out})}},
        name);
  }
  Value* add(Value* a, Value* b) { return net.op("aten.add.Tensor", {{"self", a}, {"other", b}}); }
  Value* relu6(Value* x) { return net.op("aten.hardtanh.default", {{"self", x}, {"min_val", 0.0}, {"max_val", 6.0}}); }
  Value* unary(const std::string& op, Value* x) { return net.op("aten." + op + ".default", {{"self", x}}); }

  // Lowers the program that returns `output`, numbers on `grid`: every layer runs on integers, as `becomes` says, and
  // no code differs by more than one.
  void expect_one_step(Value* output, const Grid& grid, const std::vector<std::string>& becomes) {
    const Program program = net.returns({output});
    lowered = lower_to_onednn(program.clone());
    verify(lowered.program);
    std::vector<std::string> found;
    for (const LoweredLayer& layer : lowered.report.layers) found.push_back(layer.becomes + layer.reason);
    EXPECT_EQ(found, becomes);
    EXPECT_NEAR(lowered.report.percent_of_macs(), 100, 1e-9);
    const at::Tensor expected = outputs_of(program, net.examples())[0];
    for (int run = 0; run < 2; ++run) {  // the second one sees what the first one wrote over
      const at::Tensor got = outputs_of(lowered.program, net.examples())[0];
      ASSERT_EQ(got.sizes(), expected.sizes());
      EXPECT_LE(got.sub(expected).abs().max().item<double>(), 1.001 * grid.scale);
    }
  }

  TestProgram net;
  LoweredProgram lowered;
};

TEST_F(LowerToOnednn, FusesWhatFollowsAConvolution) {
  Value* x = through(net, net.input("x", {2, 8, 9, 10}), kImage);
  x = through(net, conv(x, "first", 16), kHidden);
  x = through(net, unary("relu", conv(x, "relu", 16)), kHidden);
  x = through(net, relu6(conv(x, "relu6", 16, 16)), kHidden);
  x = through(net, unary("hardswish", conv(x, "hardswish", 8)), kHidden);
  expect_one_step(x, kHidden,
                  {"uint8 → uint8", "uint8 → uint8, relu", "uint8 → uint8, hardtanh", "uint8 → uint8, hardswish"});
  EXPECT_EQ(count_nodes(lowered.program, "quantized_decomposed.quantize_per_tensor.default"), 1u) << "of the input";
  EXPECT_EQ(count_nodes(lowered.program, "quantized_decomposed.dequantize_per_tensor.default"), 1u) << "of the output";
}

TEST_F(LowerToOnednn, FusesAClampThatIsObservedBeforeAndAfter) {
  Value* x = through(net, conv(through(net, net.input("x", {2, 8, 9, 10}), kSigned), "conv", 16), kSigned);
  expect_one_step(through(net, relu6(x), kSigned), kSigned, {"uint8 → uint8, hardtanh"});
  EXPECT_TRUE(lowered.report.float_operators.empty());
}

TEST_F(LowerToOnednn, FusesWhatFollowsALinearLayer) {
  Value* x = through(net, net.input("x", {3, 5, 32}), kImage);
  x = through(net, unary("relu", linear(x, "a", 24)), kHidden);
  x = through(net, unary("gelu", linear(x, "b", 24)), kHidden);
  x = through(net, unary("tanh", linear(x, "c", 16)), Grid{0.008, 128, 0, 255, at::kByte});
  expect_one_step(x, Grid{0.008, 128, 0, 255, at::kByte},
                  {"uint8 → uint8, relu", "uint8 → uint8, gelu", "uint8 → uint8, tanh"});
}

TEST_F(LowerToOnednn, TakesTheZerosAroundAnImageIntoTheConvolution) {
  Value* x = net.op("aten.pad.default", {{"self", net.input("x", {1, 8, 9, 7})}, {"pad", Ints{2, 2, 1, 1}}});
  x = net.relu(conv(through(net, x, kImage), "even", 16));
  x = net.op("aten.pad.default", {{"self", x}, {"pad", Ints{0, 1, 0, 1}}});
  x = through(net, conv(through(net, x, kHidden), "uneven", 8), kHidden);
  expect_one_step(x, kHidden, {"uint8 → uint8, relu", "uint8 → uint8"});
  EXPECT_EQ(count_nodes(lowered.program, "aten.constant_pad_nd.default"), 1u) << "of the uneven one, on codes";
}

TEST_F(LowerToOnednn, LeavesFloatsWhereNobodyQuantizes) {
  Value* x = through(net, net.input("x", {3, 32}), kImage);
  expect_one_step(unary("silu", linear(x, "a", 24)), Grid{1e-4, 0, 0, 255, at::kByte}, {"uint8 → float32, swish"});
}

TEST_F(LowerToOnednn, AddsIntoTheResidualThatNobodyNeedsLater) {
  Value* stem =
      quantize(net, unary("relu", conv(through(net, net.input("x", {1, 8, 6, 6}), kImage), "stem", 16)), kHidden);
  Value* y = through(net, unary("relu", conv(dequantize(net, stem, kHidden), "body", 16)), kHidden);
  Value* sum = add(conv(y, "tail", 16), dequantize(net, stem, kHidden));
  expect_one_step(through(net, unary("relu", sum), kHidden), kHidden,
                  {"uint8 → uint8, relu", "uint8 → uint8, relu", "uint8 → uint8, sum, relu"});
  EXPECT_EQ(count_nodes(lowered.program, "aten.clone.default"), 0u);
}

TEST_F(LowerToOnednn, CopiesAResidualThatIsReadAgain) {
  Value* stem = quantize(net, conv(through(net, net.input("x", {1, 8, 6, 6}), kImage), "stem", 16), kHidden);
  Value* sum = add(dequantize(net, stem, kHidden), conv(dequantize(net, stem, kHidden), "tail", 16));
  Value* y = through(net, sum, kHidden);
  Value* late = net.op("aten.mul.Tensor", {{"self", y}, {"other", dequantize(net, stem, kHidden)}});
  expect_one_step(late, Grid{30 * 0.05, 0, 0, 255, at::kByte}, {"uint8 → uint8", "uint8 → uint8, sum"});
  EXPECT_EQ(lowered.report.float_operators, std::vector<std::string>{"%mul (aten.mul.Tensor)"});
  EXPECT_EQ(count_nodes(lowered.program, "aten.clone.default"), 1u);
}

TEST_F(LowerToOnednn, AddsFloatsBehindALinearLayer) {
  Value* x = net.input("x", {2, 6, 32});
  Value* y = through(net, unary("relu", add(linear(through(net, x, kImage), "a", 32), x)), kHidden);
  // An addend that does not lie in memory as it is read.
  Value* z =
      net.op("aten.transpose.int", {{"self", net.input("z", {2, 32, 6})}, {"dim0", int64_t{1}}, {"dim1", int64_t{2}}});
  expect_one_step(add(z, linear(y, "b", 32)), Grid{1e-4, 0, 0, 255, at::kByte},
                  {"uint8 → uint8, sum with floats, relu", "uint8 → float32, sum with floats"});
  EXPECT_EQ(lowered.report.float_operators, std::vector<std::string>{"%transpose (aten.transpose.int)"});
}

TEST_F(LowerToOnednn, DoesNotAddWhatIsWrittenLater) {
  Value* base = net.relu(net.input("base", {2, 6, 32}));
  Value* row = net.op("aten.select.int", {{"self", base}, {"dim", int64_t{0}}, {"index", int64_t{1}}});
  Value* sum = add(linear(through(net, net.input("x", {6, 32}), kImage), "a", 32), row);
  net.op("aten.add_.Tensor", {{"self", row}, {"other", 1.0}});
  expect_one_step(unary("relu", sum), Grid{1e-4, 0, 0, 255, at::kByte}, {"uint8 → float32"});
}

TEST_F(LowerToOnednn, AddsCodesBehindALinearLayer) {
  Value* codes = quantize(net, net.input("x", {2, 6, 32}), kImage);
  const auto x = [&] { return dequantize(net, codes, kImage); };
  Value* y = through(net, unary("relu", add(x(), linear(x(), "a", 32))), kHidden);
  y = through(net, add(linear(y, "b", 32), x()), kHidden);
  expect_one_step(y, kHidden, {"uint8 → uint8, sum, relu", "uint8 → uint8, sum"});
  EXPECT_EQ(count_nodes(lowered.program, "aten.clone.default"), 1u) << "of the codes that the second sum reads";
}

TEST_F(LowerToOnednn, OfOneDimension) {
  Value* x = through(net, net.input("x", {2, 8, 30}), kImage);
  x = through(net, conv(x, "plain", 16), kHidden);
  x = through(net, unary("relu", conv(x, "grouped", 16, 4)), kHidden);
  x = through(net, relu6(conv(x, "depthwise", 16, 16)), kHidden);
  x = through(net, unary("silu", conv(x, "silu", 8)), kHidden);
  expect_one_step(x, kHidden, {"uint8 → uint8", "uint8 → uint8, relu", "uint8 → uint8, clamp", "uint8 → float32"});
  EXPECT_EQ(lowered.report.float_operators, std::vector<std::string>{"%silu (aten.silu.default)"});
}

TEST_F(LowerToOnednn, OfThreeDimensions) {
  Value* x = net.op("aten.pad.default", {{"self", net.input("x", {2, 8, 5, 6, 7})}, {"pad", Ints{1, 1, 0, 0, 2, 2}}});
  x = through(net, conv(through(net, x, kImage), "plain", 16), kHidden);
  x = through(net, unary("relu", conv(x, "grouped", 16, 4)), kHidden);
  const Grid positive = {.scale = 0.05, .zero_point = 0, .min = 0, .max = 255, .dtype = at::kByte};
  x = through(net, unary("relu", conv(x, "depthwise", 16, 16)), positive);
  expect_one_step(x, positive, {"uint8 → uint8", "uint8 → uint8, clamp", "uint8 → uint8"});
  EXPECT_EQ(count_nodes(lowered.program, "aten.constant_pad_nd.default"), 0u) << "the convolution's own";
}

TEST_F(LowerToOnednn, KeepsANarrowRangeOfSums) {
  const Grid half = {.scale = 0.05, .zero_point = 60, .min = 0, .max = 127, .dtype = at::kByte};
  Value* codes = quantize(net, net.input("x", {1, 16, 6, 6}), half);
  Value* image = add(conv(dequantize(net, codes, half), "conv", 16), dequantize(net, codes, half));
  image = through(net, unary("relu", image), half);
  expect_one_step(image, half, {"uint8 → uint8, sum, relu, clamp"});
  EXPECT_LE(outputs_of(lowered.program, net.examples())[0].max().item<double>(), 67 * 0.05 + 1e-6);
}

TEST_F(LowerToOnednn, KeepsANarrowRangeOfCodes) {
  const Grid half = {.scale = 0.02, .zero_point = 60, .min = 0, .max = 127, .dtype = at::kByte};
  Value* x = through(net, net.input("x", {2, 8, 9, 10}), kImage);
  x = through(net, conv(x, "plain", 16), half);
  x = through(net, unary("relu", conv(x, "relu", 16)), half);
  expect_one_step(x, half, {"uint8 → uint8, hardtanh", "uint8 → uint8, hardtanh"});
  EXPECT_LE(outputs_of(lowered.program, net.examples())[0].max().item<double>(), 67 * 0.02 + 1e-6);
}

TEST_F(LowerToOnednn, TakesSignedActivations) {
  Value* x = through(net, net.input("x", {2, 8, 9, 10}), kSigned);
  expect_one_step(through(net, conv(x, "conv", 16), kSigned), kSigned, {"uint8 → uint8"});
}

// What is read behind an in-place operator holds what that wrote.
TEST_F(LowerToOnednn, SeesWhatIsWrittenInPlace) {
  Value* x = through(net, net.input("x", {2, 8, 9, 10}), kImage);
  net.op("aten.add_.Tensor", {{"self", x}, {"other", through(net, net.input("y", {2, 8, 9, 10}), kHidden)}});
  expect_one_step(through(net, conv(through(net, x, kHidden), "conv", 16), kHidden), kHidden, {"uint8 → uint8"});
  EXPECT_EQ(count_nodes(lowered.program, "torquant.add_codes.default"), 1u);
}

TEST_F(LowerToOnednn, LeavesWhatIsWrittenThroughAViewInFloat) {
  Value* x = through(net, net.input("x", {2, 8, 9, 10}), kImage);
  Value* view = net.op("aten.select.int", {{"self", x}, {"dim", int64_t{0}}, {"index", int64_t{1}}});
  net.op("aten.mul_.Tensor", {{"self", view}, {"other", net.input("y", {9, 10})}});
  Value* y = through(net, add(conv(x, "conv", 8), x), kHidden);
  const Program program = net.returns({y});
  lowered = lower_to_onednn(program.clone());
  EXPECT_EQ(lowered.report.layers.at(0).reason, "an in-place operator writes its input");
  EXPECT_EQ(
      lowered.report.float_operators,
      (std::vector<std::string>{"%select (aten.select.int)", "%mul_ (aten.mul_.Tensor)", "%add (aten.add.Tensor)"}));
  EXPECT_TRUE(at::equal(outputs_of(lowered.program, net.examples())[0], outputs_of(program, net.examples())[0]));
}

TEST_F(LowerToOnednn, IsNotSaved) {
  const TempFolder folder;
  Value* x = through(net, net.input("x", {3, 32}), kImage);
  const Program program = lower_to_onednn(net.returns({linear(x, "a", 24)})).program;
  const std::string text = error_text([&] { save_pt2(program, folder.path("lowered.pt2")); });
  EXPECT_NE(text.find("cannot hold a_packed"), text.npos) << text;
}

TEST_F(LowerToOnednn, SaysWhyALayerStaysInFloat) {
  Value* x = net.input("x", {2, 8, 9});
  Value* y = net.op("aten.conv_transpose1d.default",
                    {{"input", through(net, x, kImage)}, {"weight", int8_weight(net, "a", {8, 4, 3})}});
  y = net.linear(through(net, y, kImage), "b", 6);
  y = net.op("aten.linear.default", {{"input", y}, {"weight", int8_weight(net, "c", {4, 6})}}, "c");
  Value* image = through(net, y, kImage);  // [2, 4, 4]: no batch
  y = net.op("aten.conv2d.default", {{"input", image}, {"weight", int8_weight(net, "d", {5, 2, 3, 3})}});
  const Program program = net.returns({y});
  const LoweringReport report = lower_to_onednn(program.clone()).report;
  ASSERT_EQ(report.layers.size(), 4u);
  EXPECT_EQ(report.layers[0].reason, "LibTorch has no oneDNN operator on integers for it");
  EXPECT_EQ(report.layers[1].reason, "its weight is not int8 with scales along axis 0 and zero points 0");
  EXPECT_EQ(report.layers[2].reason, "its input is not quantized to 8 bits with one scale");
  EXPECT_EQ(report.layers[3].reason, "its input has no batch dimension");
  EXPECT_EQ(report.percent_of_macs(), 0);
  // conv_transpose1d: 2 * 8 * 9 inputs of 4 * 3; linear b: 2 * 4 * 6 of 11; linear c: 2 * 4 * 4 of 6; conv2d: 5 * 2 * 2
  // of 2 * 9.
  EXPECT_NEAR(report.percent_of_macs(report.layers[2]), 100.0 * 192 / (1728 + 528 + 192 + 360), 1e-9);
}

}  // namespace
}  // namespace torquant
