#include "torquant/quantizer/torquant_quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

TEST(TorquantConfig, ScalesAreAsSmallAsTheDataAsksFor) {
  const QuantizationConfig config = get_default_torquant_quantization_config();
  EXPECT_EQ(to_string(AnyQuantizationSpec(*config.input_activation)),
            "uint8 [0, 255], per_tensor_affine, HistogramObserver(bins=2048)");
  EXPECT_EQ(to_string(AnyQuantizationSpec(*config.weight)),
            "int8 [-127, 127], per_channel_symmetric along axis 0, PerChannelMinMaxObserver()");
  EXPECT_EQ(get_default_torquant_quantization_config({.reduce_range = true}).input_activation->options.quant_range,
            (QuantRange{0, 127}));
}

TEST(TorquantConfig, DynamicOnesHaveAScaleForEachToken) {
  const QuantizationConfig config = get_default_torquant_quantization_config({.is_dynamic = true});
  EXPECT_EQ(to_string(AnyQuantizationSpec(*config.input_activation)),
            "int8 [-128, 127], per_token_affine, dynamic, PlaceholderObserver()");
  EXPECT_EQ(config.output_activation, std::nullopt);
  EXPECT_EQ(config.weight, get_default_torquant_quantization_config().weight);
  EXPECT_EQ(error_text([] { get_default_torquant_quantization_config({.reduce_range = true, .is_dynamic = true}); }),
            "get_default_torquant_quantization_config: reduce_range with is_dynamic\n"
            "  allowed here: one of them: scales per token are for all codes of int8");
}

class Torquant : public testing::Test {
 protected:
  void annotate(Value* output) {
    net.returns({output});
    TorquantQuantizer quantizer;
    quantizer.set_global(get_default_torquant_quantization_config());
    quantizer.annotate(net.program(), annotations);
  }
  Value* op(const std::string& name, std::vector<NamedArgument> args) {
    return net.op("aten." + name, std::move(args));
  }
  bool observes(const Value* reader, const Value* value) const {
    const QuantizationAnnotation* annotation = annotations.find(reader->producer());
    return annotation != nullptr && annotation->find_input(value) != nullptr;
  }
  bool is_taken(const Value* value) const { return annotations.is_annotated(value->producer()); }

  TestProgram net;
  Annotations annotations;
};

TEST_F(Torquant, TakesANetworkWhole) {
  Value* x = net.input("x", {1, 3, 8, 8});
  Value* conv = net.conv2d(x, "stem", 4);
  Value* clamped = op("hardtanh.default", {{"self", conv}, {"min_val", 0.0}, {"max_val", 6.0}});
  Value* padded = op("pad.default", {{"self", clamped}, {"pad", Ints{1, 1, 1, 1}}});
  Value* body = net.conv2d(padded, "body", 4);
  Value* sum = op("add.Tensor", {{"self", body}, {"other", clamped}});
  Value* mean = op("adaptive_avg_pool2d.default", {{"self", sum}, {"output_size", Ints{1, 1}}});
  Value* flat = op("flatten.using_ints", {{"self", mean}, {"start_dim", int64_t{1}}});
  annotate(net.linear(flat, "head", 5));
  EXPECT_TRUE(observes(conv, x));
  EXPECT_TRUE(is_taken(clamped)) << "fused, so that it is observed behind the clamp";
  EXPECT_TRUE(observes(body, padded));
  EXPECT_TRUE(observes(sum, clamped)) << "the residual; the convolution's sums stay in its registers";
  EXPECT_FALSE(observes(sum, body));
  EXPECT_TRUE(observes(mean, sum));
  EXPECT_EQ(annotations.find(mean->producer())->output_qspec, std::nullopt) << "a mean has a scale of its own";
}

TEST_F(Torquant, AnActivationIsTakenHoweverItIsWritten) {
  Value* conv = net.conv2d(net.input("x", {1, 3, 8, 8}), "stem", 4);
  Value* silu = op("silu.default", {{"self", conv}});
  silu->producer()->set_metadata("torch_fn", "silu_1;function.silu");  // F.silu: Inductor's quantizers leave it
  annotate(silu);
  EXPECT_TRUE(is_taken(silu));
}

TEST_F(Torquant, SumsThatHaveNoOperatorAreRefusedWithAReason) {
  Value* x = net.relu(net.input("x", {2, 3}));
  Value* number = op("add.Tensor", {{"self", x}, {"other", 1.0}});
  Value* sum = op("add.Tensor", {{"self", number}, {"other", x}});
  annotate(net.relu(sum));
  EXPECT_EQ(*annotations.reason(number->producer()), "its operand other is a number");
  EXPECT_TRUE(observes(sum, number) && observes(sum, x));
}

TEST_F(Torquant, TakesTheScalesOfChannels) {
  Value* x = net.conv2d(net.input("x", {1, 3, 8, 8}), "body", 4);
  Value* mean = op("adaptive_avg_pool2d.default", {{"self", x}, {"output_size", Ints{1, 1}}});
  Value* gate = op("sigmoid.default", {{"self", net.conv2d(mean, "gate", 4, 1)}});
  Value* scaled = op("mul.Tensor", {{"self", x}, {"other", gate}});
  scaled->producer()->set_metadata("torch_fn", "mul__1;method_descriptor.mul_");  // x *= gate
  annotate(scaled);
  EXPECT_TRUE(observes(scaled, x) && observes(scaled, gate));
}

TEST_F(Torquant, TakesConvolutionsOfOneAndThreeDimensions) {
  Value* x = net.input("x", {1, 3, 8});
  Value* clamped = op("hardtanh.default",
                      {{"self", op("conv1d.default", {{"input", x}, {"weight", net.parameter("a", {4, 3, 3})}})}});
  Value* image = op("view.default", {{"self", clamped}, {"size", Ints{1, 3, 2, 2, 2}}});
  Value* y = op("conv3d.default", {{"input", image}, {"weight", net.parameter("b", {4, 3, 1, 1, 1})}});
  annotate(net.relu(y));
  EXPECT_TRUE(is_taken(clamped) && observes(y, image));
}

TEST_F(Torquant, TransposedConvolutionsHaveAScaleForEachOutputChannel) {
  Value* x = net.input("x", {1, 3, 4, 4});
  Value* weight = net.parameter("up", {3, 5, 2, 2});
  Value* y = op("conv_transpose2d.input", {{"input", x}, {"weight", weight}, {"stride", Ints{2, 2}}});
  Value* relu = net.relu(y);
  annotate(relu);
  EXPECT_TRUE(observes(y, x) && is_taken(relu));
  const AnyQuantizationSpec* spec = annotations.find(y->producer())->find_input(weight);
  EXPECT_EQ(to_string(*spec), "int8 [-127, 127], per_channel_symmetric along axis 1, PerChannelMinMaxObserver()");
}

TEST_F(Torquant, TheSumOfALinearLayerStaysInItsRegisters) {
  Value* x = net.input("x", {5, 4});
  Value* linear = net.linear(x, "fc", 4);
  Value* sum = op("add.Tensor", {{"self", x}, {"other", linear}});
  annotate(net.relu(sum));
  EXPECT_TRUE(observes(sum, x));
  EXPECT_FALSE(observes(sum, linear));
}

TEST_F(Torquant, DoesNotFuseAnAddendThatIsRepeated) {
  Value* x = net.input("x", {1, 3, 8, 8});
  Value* conv = net.conv2d(x, "body", 4);
  Value* sum = op("add.Tensor", {{"self", conv}, {"other", net.input("shift", {4, 1, 1})}});
  annotate(sum);
  EXPECT_TRUE(observes(sum, conv));
}

TEST_F(Torquant, MaxPoolsKeepTheScaleOfWhatTheyRead) {
  Value* conv = net.conv2d(net.input("x", {1, 3, 8, 8}), "stem", 4);
  Value* pool = op("max_pool2d.default", {{"self", net.relu(conv)}, {"kernel_size", Ints{2, 2}}});
  annotate(net.conv2d(pool, "next", 4));
  EXPECT_TRUE(std::holds_alternative<SharedQuantizationSpec>(*annotations.find(pool->producer())->output_qspec));
}

// As in ShuffleNet: the branches part and meet again on integers.
TEST_F(Torquant, PartsOfATensorAndBatchNormsAreQuantized) {
  Value* x = net.conv2d(net.input("x", {1, 3, 8, 8}), "stem", 4);
  Node* split = net.program().graph().append(OpId("aten.chunk.default"), "chunk",
                                             {{"self", x}, {"chunks", int64_t{2}}, {"dim", int64_t{1}}});
  TensorMeta half = x->tensor();
  half.sizes[1] = int64_t{2};
  net.program().graph().add_list_output(split, {{"left", half}, {"right", half}});
  const std::vector<Value*> parts = split->outputs()[0].values;
  Value* right = op("batch_norm.default", {{"input", parts[1]},
                                           {"weight", net.parameter("gamma", {2})},
                                           {"bias", net.parameter("beta", {2})},
                                           {"running_mean", net.parameter("mean", {2})},
                                           {"running_var", net.positive("var", {2})},
                                           {"training", false},
                                           {"momentum", 0.1},
                                           {"eps", 1e-5},
                                           {"cudnn_enabled", false}});
  Value* both = op("cat.default", {{"tensors", std::vector<Value*>{parts[0], net.relu(right)}}, {"dim", int64_t{1}}});
  Value* last = net.conv2d(both, "last", 4);
  net.returns({last});
  TorquantQuantizer quantizer;
  quantizer.set_global(get_default_torquant_quantization_config());
  quantizer.transform_for_annotation(net.program());
  quantizer.annotate(net.program(), annotations);
  EXPECT_TRUE(observes(last, both));
  for (const Value* part : both->producer()->inputs()) EXPECT_TRUE(observes(both, part)) << part->name();
  EXPECT_EQ(right->producer()->op().name(), "aten.conv2d.default");
  EXPECT_TRUE(observes(right, right->producer()->input("input")));
}

class DynamicTorquant : public Torquant {
 protected:
  DynamicTorquant() { quantizer.set_global(kConfig); }
  void annotate(Value* output) {
    net.returns({output});
    quantizer.transform_for_annotation(net.program());
    quantizer.annotate(net.program(), annotations);
  }
  std::string reason(const Value* of) const {
    const std::string* text = annotations.reason(of->producer());
    return text == nullptr ? "" : *text;
  }

  const QuantizationConfig kConfig = get_default_torquant_quantization_config({.is_dynamic = true});
  TorquantQuantizer quantizer;
};

TEST_F(DynamicTorquant, TakesLinearLayersAlone) {
  Value* x = net.conv2d(net.input("x", {1, 3, 8, 8}), "stem", 4);
  Value* normed = net.batch_norm(op("relu.default", {{"self", x}}), "norm");  // static: becomes a convolution
  Value* flat = op("flatten.using_ints", {{"self", normed}, {"start_dim", int64_t{1}}});
  Value* hidden = net.linear(flat, "hidden", 5);
  Value* gelu = op("gelu.default", {{"self", hidden}});
  Value* sum = op("add.Tensor", {{"self", net.linear(gelu, "last", 5)}, {"other", hidden}});
  annotate(sum);
  EXPECT_EQ(annotations.size(), 2u);
  EXPECT_TRUE(observes(hidden, flat));
  EXPECT_TRUE(observes(sum->producer()->input("self"), gelu));
  EXPECT_FALSE(observes(sum, hidden));
  EXPECT_EQ(normed->producer()->op().name(), "aten.batch_norm.default");
}

TEST_F(DynamicTorquant, LeavesIntegersWithAReason) {
  Value* ids = net.input("ids", {2, 4}, at::kLong);
  Value* product = op("linear.default", {{"input", ids}, {"weight", net.parameter("w", {3, 4}, at::kLong)}});
  annotate(product);
  EXPECT_EQ(annotations.size(), 0u);
  EXPECT_EQ(reason(product), "its input %ids is Long: run-time scales are for Float, Half and BFloat16");
}

TEST_F(DynamicTorquant, KnowsNoOtherFunctionOrModule) {
  EXPECT_EQ(error_text([&] { quantizer.set_function_type_qconfig("torch.nn.functional.conv2d", kConfig); }),
            "TorquantQuantizer::set_function_type_qconfig(torch.nn.functional.conv2d): it does not quantize "
            "torch.nn.functional.conv2d\n  allowed here: torch.nn.functional.linear");
  EXPECT_EQ(error_text([&] { quantizer.set_module_type_qconfig("Conv2d", kConfig); }),
            "TorquantQuantizer::set_module_type_qconfig(Conv2d): it does not quantize Conv2d\n  allowed here: Linear");
}

TEST_F(DynamicTorquant, CapabilitiesListBothModes) {
  const std::vector<Capability> rows = quantizer.capabilities();
  const auto dynamic = [](const Capability& row) { return mode_of(row) == "dynamic"; };
  ASSERT_EQ(std::ranges::count_if(rows, dynamic), 1);
  const Capability& linear = *std::ranges::find_if(rows, dynamic);
  EXPECT_EQ(linear.pattern, "linear");
  EXPECT_EQ(scheme_text(linear.activation), "int8 [-128, 127], per_token_affine, dynamic");
  EXPECT_GT(std::ranges::count(rows, "conv2d + relu", &Capability::pattern), 0);
}

}  // namespace
}  // namespace torquant
