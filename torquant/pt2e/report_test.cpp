#include "torquant/pt2e/report.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"
#include "torquant/quantizer/torquant_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

class Report : public testing::Test {
 protected:
  QuantizationReport report(const std::vector<Value*>& outputs, XNNPACKQuantizer& quantizer) {
    net.returns(outputs);
    Annotations annotations;
    quantizer.annotate(net.program(), annotations);
    return make_report(net.program(), annotations, quantizer.name());
  }
  TestProgram net;
  XNNPACKQuantizer quantizer;
};

TEST_F(Report, CountsBytesAndMultiplications) {
  Value* conv = net.conv2d(net.input("x", {2, 3, 8, 8}), "conv", 4);  // 4·3·3·3 weights, output [2, 4, 6, 6]
  Value* flat = net.op("aten.flatten.using_ints", {{"self", conv}, {"start_dim", int64_t{1}}});
  Value* fc = net.linear(flat, "head", 5);  // 144 → 5
  quantizer.set_global(get_symmetric_quantization_config({.is_per_channel = true}))
      .set_module_name("head", std::nullopt);
  const QuantizationReport result = report({fc}, quantizer);
  ASSERT_EQ(result.layers.size(), 2u);
  const LayerReport& first = result.layers[0];
  EXPECT_TRUE(first.quantized);
  EXPECT_EQ(first.module_path, "conv");
  EXPECT_EQ(first.op, "aten.conv2d.default");
  EXPECT_EQ(first.scheme, "int8 input, int8 weight per channel");
  EXPECT_EQ(first.weight_bytes, 4 * 108);
  EXPECT_EQ(first.macs, 2 * 4 * 6 * 6 * 27);
  const LayerReport& second = result.layers[1];
  EXPECT_FALSE(second.quantized);
  EXPECT_EQ(second.reason, "left in float by set_module_name(head)");
  EXPECT_EQ(second.weight_bytes, 4 * 720);
  EXPECT_EQ(second.macs, 2 * 720);
  EXPECT_EQ(result.quantized_layers(), 1u);
  EXPECT_DOUBLE_EQ(result.percent_of_weight_bytes(), 100.0 * 108 / 828);
  EXPECT_DOUBLE_EQ(result.percent_of_macs(), 100.0 * 7776 / (7776 + 1440));
}

TEST_F(Report, NamesTheGranularityOfDynamicScales) {
  net.returns({net.linear(net.input("x", {2, 8}), "fc", 5)});
  const auto scheme = [&](Quantizer&& dynamic) {
    Annotations annotations;
    dynamic.annotate(net.program(), annotations);
    return make_report(net.program(), annotations, dynamic.name()).layers.at(0).scheme;
  };
  XNNPACKQuantizer per_tensor;
  per_tensor.set_global(get_symmetric_quantization_config({.is_dynamic = true}));
  EXPECT_EQ(scheme(std::move(per_tensor)), "dynamic int8 input, int8 weight");
  TorquantQuantizer per_token;
  per_token.set_global(get_default_torquant_quantization_config({.is_dynamic = true}));
  EXPECT_EQ(scheme(std::move(per_token)), "dynamic int8 input per token, int8 weight per channel");
}

TEST_F(Report, GivesEveryFloatLayerAReason) {
  Value* x = net.input("x", {2, 4, 8});
  Value* y = net.input("y", {2, 8, 3});
  quantizer.set_global(get_symmetric_quantization_config());
  const QuantizationReport result = report({net.op("aten.bmm.default", {{"self", x}, {"mat2", y}})}, quantizer);
  ASSERT_EQ(result.layers.size(), 1u);
  EXPECT_EQ(result.layers[0].reason, "no pattern or rule of XNNPACKQuantizer takes it");
  EXPECT_EQ(result.layers[0].macs, 2 * 4 * 3 * 8);
  EXPECT_EQ(result.percent_of_macs(), 0);
  EXPECT_EQ(result.percent_of_weight_bytes(), 0);
}

TEST_F(Report, CountsATransposedConvolutionByItsInput) {
  Value* y = net.op("aten.conv_transpose2d.input",
                    {{"input", net.input("x", {1, 4, 5, 5})}, {"weight", net.parameter("w", {4, 6, 3, 3})}});
  quantizer.set_global(get_symmetric_quantization_config());
  EXPECT_EQ(report({y}, quantizer).layers[0].macs, 4 * 5 * 5 * 6 * 9);
}

TEST_F(Report, SaysWhenAnInputIsDynamic) {
  quantizer.set_global(get_symmetric_quantization_config({.is_dynamic = true}));
  const QuantizationReport result = report({net.linear(net.input("x", {2, 4}), "fc", 3)}, quantizer);
  EXPECT_EQ(result.layers[0].scheme, "dynamic int8 input, int8 weight");
}

}  // namespace
}  // namespace torquant
