#include "torquant/quantizer/xnnpack_annotators.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant {
namespace {

// One net a test, annotated as a whole; places are asked for by the values.
class Annotators : public testing::Test {
 protected:
  void annotate(const std::vector<Value*>& outputs,
                const QuantizationConfig& config = get_symmetric_quantization_config()) {
    net.returns(outputs);
    XNNPACKQuantizer().set_global(config).annotate(net.program(), annotations);
  }
  const AnyQuantizationSpec* input_spec(Value* of, const char* name) const {
    const QuantizationAnnotation* annotation = annotations.find(of->producer());
    return annotation == nullptr ? nullptr : annotation->find_input(of->producer()->input(name));
  }
  bool observes_output(Value* of) const {
    const QuantizationAnnotation* annotation = annotations.find(of->producer());
    return annotation != nullptr && annotation->output_qspec.has_value();
  }
  // What the spec refers to; nothing for a spec of its own.
  static std::string shares_with(const std::optional<AnyQuantizationSpec>& spec) {
    const auto* shared = spec ? std::get_if<SharedQuantizationSpec>(&*spec) : nullptr;
    return shared == nullptr ? "" : to_string(shared->with);
  }
  std::string output_shares_with(Value* of) const {
    return shares_with(annotations.find(of->producer())->output_qspec);
  }
  std::string reason(Value* of) const {
    const std::string* text = annotations.reason(of->producer());
    return text == nullptr ? "" : *text;
  }

  TestProgram net;
  Value* image = net.input("x", {1, 4, 8, 8});
  Annotations annotations;
};

TEST_F(Annotators, LayerAloneObservesInputWeightAndOutput) {
  Value* y = net.conv2d(image, "conv", 4);
  annotate({y});
  EXPECT_NE(input_spec(y, "input"), nullptr);
  EXPECT_NE(input_spec(y, "weight"), nullptr);
  EXPECT_EQ(input_spec(y, "bias"), nullptr) << "stays in float";
  EXPECT_TRUE(observes_output(y));
}

TEST_F(Annotators, LayerWithReluObservesBehindTheRelu) {
  for (const char* kind : {"conv", "linear"}) {
    net = TestProgram();
    annotations = {};
    Value* y = std::string(kind) == "conv" ? net.conv2d(net.input("x", {1, 4, 8, 8}), "conv", 4)
                                           : net.linear(net.input("x", {2, 4}), "fc", 4);
    Value* z = net.relu(y);
    annotate({z});
    EXPECT_FALSE(observes_output(y)) << kind;
    EXPECT_TRUE(observes_output(z)) << kind;
    EXPECT_EQ(input_spec(z, "self"), nullptr) << kind;
  }
}

TEST_F(Annotators, ReluThatIsNotTheOnlyReaderEndsThePattern) {
  Value* y = net.conv2d(image, "conv", 4);
  Value* z = net.relu(y);
  annotate({z, net.op("aten.neg.default", {{"self", y}})});
  EXPECT_TRUE(observes_output(y));
  EXPECT_EQ(output_shares_with(z), "%conv2d") << "by propagation";
}

struct Layer {
  const char* op;
  std::vector<int64_t> input;
  std::vector<int64_t> weight;
  int64_t axis;  // of the output channels
};
class EveryLayer : public testing::TestWithParam<Layer> {};

TEST_P(EveryLayer, HasItsWeightQuantizedAlongTheOutputChannels) {
  const Layer& layer = GetParam();
  TestProgram net;
  Value* y = net.op(layer.op, {{"input", net.input("x", layer.input)}, {"weight", net.parameter("w", layer.weight)}});
  net.returns({y});
  Annotations annotations;
  XNNPACKQuantizer()
      .set_global(get_symmetric_quantization_config({.is_per_channel = true}))
      .annotate(net.program(), annotations);
  const QuantizationAnnotation* annotation = annotations.find(y->producer());
  ASSERT_NE(annotation, nullptr);
  EXPECT_EQ(options_of(*annotation->find_input(y->producer()->input("weight")))->ch_axis, layer.axis);
}

INSTANTIATE_TEST_SUITE_P(Layers, EveryLayer,
                         testing::Values(Layer{"aten.linear.default", {2, 4}, {6, 4}, 0},
                                         Layer{"aten.conv1d.default", {1, 4, 8}, {6, 4, 3}, 0},
                                         Layer{"aten.conv2d.default", {1, 4, 8, 8}, {6, 4, 3, 3}, 0},
                                         Layer{"aten.conv3d.default", {1, 4, 8, 8, 8}, {6, 4, 3, 3, 3}, 0},
                                         Layer{"aten.conv_transpose1d.default", {1, 4, 8}, {4, 6, 3}, 1},
                                         Layer{"aten.conv_transpose2d.input", {1, 4, 8, 8}, {4, 6, 3, 3}, 1},
                                         Layer{"aten.conv_transpose3d.input", {1, 4, 5, 5, 5}, {4, 6, 3, 3, 3}, 1}));

Value* transposed(TestProgram& net, Value* x, int64_t groups) {
  return net.op("aten.conv_transpose2d.input",
                {{"input", x}, {"weight", net.parameter("up.weight", {4, 2, 3, 3})}, {"groups", groups}}, "up");
}

TEST_F(Annotators, RefusesGroupedTransposedConvolutions) {
  Value* y = transposed(net, image, 2);
  annotate({y});
  EXPECT_EQ(annotations.find(y->producer()), nullptr);
  EXPECT_EQ(reason(y), "XNNPACK has no int8 transposed convolution with groups = 2 (only 1)");
}

TEST_F(Annotators, RefusesGroupedTransposedConvolutionsWithRelu) {
  Value* y = transposed(net, image, 2);
  annotate({net.relu(y)});
  EXPECT_EQ(reason(y), "XNNPACK has no int8 transposed convolution with groups = 2 (only 1)");
}

TEST_F(Annotators, RefusesASecondLayerOnOneWeight) {
  Value* weight = net.parameter("w", {4, 4, 1, 1});
  Value* y = net.op("aten.conv2d.default", {{"input", image}, {"weight", weight}});
  Value* z = net.op("aten.conv2d.default", {{"input", y}, {"weight", weight}});
  annotate({z});
  EXPECT_NE(annotations.find(y->producer()), nullptr);
  EXPECT_EQ(reason(z), "shares its weight %p_w with a layer that is quantized already");
}

TEST_F(Annotators, DynamicTakesLinearAndTwoDimensionalConvolutionsThatAreNotDepthwise) {
  const QuantizationConfig dynamic = get_symmetric_quantization_config({.is_dynamic = true});
  Value* plain = net.conv2d(image, "plain", 4, 1);
  Value* depthwise =
      net.op("aten.conv2d.default",
             {{"input", plain}, {"weight", net.parameter("dw.weight", {4, 1, 3, 3})}, {"groups", int64_t{4}}});
  Value* line = net.op("aten.conv1d.default",
                       {{"input", net.input("line", {1, 4, 8})}, {"weight", net.parameter("line.weight", {4, 4, 3})}});
  Value* fc = net.linear(net.input("rows", {2, 4}), "fc", 3);
  Value* sum = net.op("aten.add.Tensor", {{"self", fc}, {"other", fc}});
  annotate({depthwise, line, sum}, dynamic);
  EXPECT_NE(input_spec(plain, "input"), nullptr);
  EXPECT_FALSE(observes_output(plain));
  EXPECT_NE(input_spec(fc, "input"), nullptr);
  EXPECT_EQ(reason(depthwise), "XNNPACK has no dynamic int8 depthwise convolution");
  EXPECT_EQ(reason(line), "XNNPACK's dynamic int8 convolution is 2-D only");
  EXPECT_EQ(annotations.find(sum->producer()), nullptr) << "XNNPACK has no dynamic add";
}

TEST_F(Annotators, AddAndMulObserveBothOperandsAndTheOutput) {
  for (const char* op : {"aten.add.Tensor", "aten.mul.Tensor"}) {
    net = TestProgram();
    annotations = {};
    Value* z = net.op(op, {{"self", net.input("x", {4})}, {"other", net.input("y", {4})}});
    annotate({z});
    EXPECT_NE(input_spec(z, "self"), nullptr) << op;
    EXPECT_NE(input_spec(z, "other"), nullptr) << op;
    EXPECT_TRUE(observes_output(z)) << op;
  }
}

TEST_F(Annotators, AddAndMulWithReluObserveBehindIt) {
  for (const char* op : {"aten.add.Tensor", "aten.mul.Tensor"}) {
    net = TestProgram();
    annotations = {};
    Value* y = net.op(op, {{"self", net.input("x", {4})}, {"other", net.input("y", {4})}});
    Value* z = net.relu(y);
    annotate({z});
    EXPECT_NE(input_spec(y, "self"), nullptr) << op;
    EXPECT_FALSE(observes_output(y)) << op;
    EXPECT_TRUE(observes_output(z)) << op;
  }
}

TEST_F(Annotators, RefusesOperandsThatCannotBeObserved) {
  Value* integers =
      net.op("aten.add.Tensor", {{"self", net.input("i", {4}, at::kLong)}, {"other", net.input("j", {4}, at::kLong)}});
  Value* huge = net.op("aten.mul.Tensor", {{"self", image}, {"other", net.buffer("huge", at::rand({}) + 1e30)}});
  annotate({integers, huge});
  EXPECT_EQ(reason(integers), "its operand %i is no float32 tensor");
  EXPECT_EQ(reason(huge), "its operand %b_huge is the constant 1e+30, too large to observe");
}

TEST_F(Annotators, CatSharesOneObserver) {
  Value* other = net.input("y", {1, 4, 8, 8});
  Value* z = net.op("aten.cat.default", {{"tensors", std::vector<Value*>{image, other}}, {"dim", int64_t{1}}});
  annotate({z});
  const QuantizationAnnotation* annotation = annotations.find(z->producer());
  ASSERT_NE(annotation, nullptr);
  EXPECT_TRUE(std::holds_alternative<QuantizationSpec>(*annotation->find_input(image)));
  EXPECT_EQ(shares_with(*annotation->find_input(other)), "%x → %cat");
  EXPECT_EQ(output_shares_with(z), "%x → %cat");
}

TEST_F(Annotators, CatSharesTheObserverOfTheInputWhoseRangeIsKnown) {
  Value* y = net.conv2d(image, "conv", 4, 1);
  Value* z = net.op("aten.cat.default", {{"tensors", std::vector<Value*>{image, y}}, {"dim", int64_t{1}}});
  annotate({z});
  EXPECT_EQ(output_shares_with(z), "%conv2d → %cat");
}

TEST_F(Annotators, AdaptiveAveragePoolingKeepsTheObserverOfItsInput) {
  Value* y = net.conv2d(image, "conv", 4);
  Value* z = net.op("aten.adaptive_avg_pool2d.default", {{"self", y}, {"output_size", std::vector<int64_t>{1, 1}}});
  annotate({z});
  EXPECT_EQ(shares_with(*input_spec(z, "self")), "%conv2d");
  EXPECT_EQ(output_shares_with(z), "%conv2d → %adaptive_avg_pool2d");
}

TEST_F(Annotators, OperatorsThatPassValuesOnShareAlongTheChain) {
  Value* y = net.conv2d(image, "conv", 4);
  Value* pooled = net.op("aten.max_pool2d.default", {{"self", y}, {"kernel_size", std::vector<int64_t>{2, 2}}});
  Value* flat = net.op("aten.flatten.using_ints", {{"self", pooled}, {"start_dim", int64_t{1}}});
  Value* exp = net.op("aten.exp.default", {{"self", flat}});
  annotate({net.op("aten.flatten.using_ints", {{"self", exp}})});
  EXPECT_EQ(output_shares_with(pooled), "%conv2d");
  EXPECT_EQ(output_shares_with(flat), "%max_pool2d");
  EXPECT_EQ(annotations.find(exp->producer()), nullptr);
  EXPECT_EQ(annotations.size(), 3u) << "nothing behind exp";
}

TEST_F(Annotators, NothingIsPropagatedFromAnInput) {
  annotate({net.op("aten.flatten.using_ints", {{"self", image}})});
  EXPECT_EQ(annotations.size(), 0u);
}

}  // namespace
}  // namespace torquant
