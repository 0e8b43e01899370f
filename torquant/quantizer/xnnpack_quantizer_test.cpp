#include "torquant/quantizer/xnnpack_quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

const QuantizationConfig kStatic = get_symmetric_quantization_config();
const QuantizationConfig kPerChannel = get_symmetric_quantization_config({.is_per_channel = true});

// Two convolutions and a linear layer.
class Xnnpack : public testing::Test {
 protected:
  Xnnpack() { net.returns({fc}); }

  Annotations annotate() {
    Annotations annotations;
    quantizer.annotate(net.program(), annotations);
    return annotations;
  }
  static bool quantized(const Annotations& annotations, Value* layer) {
    const QuantizationAnnotation* annotation = annotations.find(layer->producer());
    return annotation != nullptr && !annotation->input_qspec_map.empty();
  }
  static QScheme weight_scheme(const Annotations& annotations, Value* layer) {
    const Node* node = layer->producer();
    return options_of(*annotations.find(node)->find_input(node->input("weight")))->qscheme;
  }

  TestProgram net;
  Value* x = net.input("x", {1, 3, 8, 8});
  Value* a = net.conv2d(x, "block.a", 4);
  Value* b = net.conv2d(a, "block.b", 4);
  Value* flat = net.op("aten.flatten.using_ints", {{"self", b}, {"start_dim", int64_t{1}}});
  Value* fc = net.linear(flat, "head", 5);
  XNNPACKQuantizer quantizer;
};

TEST_F(Xnnpack, GlobalTakesEverything) {
  quantizer.set_global(kStatic);
  const Annotations annotations = annotate();
  for (Value* layer : {a, b, fc}) EXPECT_TRUE(quantized(annotations, layer)) << layer->name();
}

TEST_F(Xnnpack, WithoutARuleNothing) { EXPECT_EQ(annotate().size(), 0u); }

TEST_F(Xnnpack, ModuleNameComesBeforeModuleTypeBeforeOperatorBeforeGlobal) {
  quantizer.set_global(std::nullopt)
      .set_operator_type("aten.conv2d.default", kStatic)
      .set_operator_type("aten.linear.default", kStatic)
      .set_module_type("Conv2d", kPerChannel)
      .set_module_name("block.b", kStatic);
  const Annotations annotations = annotate();
  EXPECT_EQ(weight_scheme(annotations, a), QScheme::kPerChannelSymmetric) << "by module type";
  EXPECT_EQ(weight_scheme(annotations, b), QScheme::kPerTensorSymmetric) << "by module name";
  EXPECT_EQ(weight_scheme(annotations, fc), QScheme::kPerTensorSymmetric) << "by operator";
}

TEST_F(Xnnpack, NoConfigurationLeavesTheModuleInFloatWithAReason) {
  quantizer.set_global(kStatic).set_module_name("block.b", std::nullopt);
  const Annotations annotations = annotate();
  EXPECT_TRUE(quantized(annotations, a));
  EXPECT_FALSE(quantized(annotations, b));
  EXPECT_EQ(*annotations.reason(b->producer()), "left in float by set_module_name(block.b)");
}

TEST_F(Xnnpack, ANameChoosesWhatLiesInside) {
  quantizer.set_module_name("block.a", kStatic);
  const Annotations annotations = annotate();
  EXPECT_TRUE(quantized(annotations, a));
  EXPECT_FALSE(quantized(annotations, b));
  EXPECT_FALSE(quantized(annotations, fc));
}

TEST_F(Xnnpack, TheSameRuleAgainReplacesTheFirst) {
  quantizer.set_module_name("block.a", kStatic).set_module_name("block.a", kPerChannel);
  EXPECT_EQ(weight_scheme(annotate(), a), QScheme::kPerChannelSymmetric);
}

TEST_F(Xnnpack, AFilterLeavesOutWithAReason) {
  quantizer.set_global(kStatic).set_filter_function([&](const Node& node) { return &node != a->producer(); });
  const Annotations annotations = annotate();
  EXPECT_FALSE(quantized(annotations, a));
  EXPECT_EQ(*annotations.reason(a->producer()), "left in float by the filter function");
  EXPECT_TRUE(quantized(annotations, b));
}

TEST_F(Xnnpack, ARuleThatSelectsNothingIsAnError) {
  const auto message = [&](XNNPACKQuantizer rules) {
    Annotations annotations;
    return error_text([&] { rules.annotate(net.program(), annotations); });
  };
  EXPECT_EQ(message(XNNPACKQuantizer().set_module_name("blok.a", kStatic)),
            "set_module_name(blok.a): selects no node of the program");
  EXPECT_EQ(message(XNNPACKQuantizer().set_module_type("Conv3d", kStatic)),
            "set_module_type(Conv3d): selects no node of the program");
  EXPECT_EQ(message(XNNPACKQuantizer().set_operator_type("aten.conv3d.default", kStatic)),
            "set_operator_type(aten.conv3d.default): selects no node of the program");
}

TEST_F(Xnnpack, AnOperatorThatItDoesNotKnowIsAnErrorThatNamesThoseItDoes) {
  const std::string text = error_text([&] { quantizer.set_operator_type("aten.gelu.default", kStatic); });
  EXPECT_TRUE(
      text.starts_with("XNNPACKQuantizer::set_operator_type: it does not quantize aten.gelu.default\n  allowed here: "
                       "aten.linear.default, "
                       "aten.conv1d.default, "))
      << text;
}

TEST_F(Xnnpack, MakesScalarsTensorsBeforeAnnotating) {
  Value* sum = net.op("aten.add.Tensor", {{"self", fc}, {"other", 1.0}});
  Program program = net.returns({sum});
  quantizer.transform_for_annotation(program);
  EXPECT_NE(program.find_state("_tensor_constant_0"), nullptr);
}

TEST(XnnpackCapabilities, AreThePatternsInEachMode) {
  const std::vector<Capability> rows = XNNPACKQuantizer().capabilities();
  const auto count = [&](const std::string& pattern, const std::string& mode) {
    return std::ranges::count_if(rows,
                                 [&](const Capability& row) { return row.pattern == pattern && mode_of(row) == mode; });
  };
  EXPECT_EQ(count("linear", "static"), 2) << "weights per channel, and per tensor";
  EXPECT_EQ(count("linear", "dynamic"), 2);
  EXPECT_EQ(count("linear + relu", "dynamic"), 0);
  EXPECT_EQ(count("add", "static"), 1) << "no weight";
  const auto view = std::ranges::find(rows, "view", &Capability::pattern);
  ASSERT_NE(view, rows.end());
  EXPECT_TRUE(view->follows);
}

}  // namespace
}  // namespace torquant
