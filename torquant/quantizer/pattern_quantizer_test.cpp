// The rules; what the backends' tables say is tested with each of them.
#include "torquant/quantizer/pattern_quantizer.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"
#include "torquant/quantizer/x86_inductor_quantizer.h"

namespace torquant {
namespace {

const QuantizationConfig kStatic = get_default_x86_inductor_quantization_config();
const QuantizationConfig kReduced = get_default_x86_inductor_quantization_config({.reduce_range = true});
const QuantizationConfig kDynamic = get_default_x86_inductor_quantization_config({.is_dynamic = true});

class Rules : public testing::Test {
 protected:
  Rules() { net.returns({fc}); }

  void annotate() {
    annotations = {};
    quantizer.annotate(net.program(), annotations);
  }
  // Of the input of a layer: "[0, 255]", "[0, 127]", or "float".
  std::string range(Value* layer) const {
    const QuantizationAnnotation* annotation = annotations.find(layer->producer());
    const AnyQuantizationSpec* spec =
        annotation == nullptr ? nullptr : annotation->find_input(layer->producer()->inputs()[0]);
    if (spec == nullptr) return "float";
    const std::string text = to_string(*options_of(*spec));
    return text.substr(text.find('['), text.find(']') + 1 - text.find('['));
  }
  std::string reason(Value* of) const {
    const std::string* text = annotations.reason(of->producer());
    return text == nullptr ? "" : *text;
  }

  TestProgram net;
  Value* x = net.input("x", {1, 4, 8, 8});
  Value* a = net.conv2d(x, "block.a", 4);
  Value* relu = net.op("aten.relu.default", {{"self", a}}, "block.act", "torch.nn.modules.activation.ReLU");
  Value* b = net.conv2d(relu, "block.b", 4);
  Value* flat = net.op("aten.flatten.using_ints", {{"self", b}, {"start_dim", int64_t{1}}});
  Value* fc = net.linear(flat, "head", 5);
  X86InductorQuantizer quantizer;
  Annotations annotations;
};

TEST_F(Rules, ModuleNameComesBeforeOperatorBeforeGlobal) {
  quantizer.set_global(kStatic).set_module_type_qconfig("Conv2d", kReduced).set_module_name_qconfig("block.b", kStatic);
  annotate();
  EXPECT_EQ(range(a), "[0, 127]") << "by operator";
  EXPECT_EQ(range(b), "[0, 255]") << "by module name";
  EXPECT_EQ(range(fc), "[0, 255]") << "by the global rule";
}

TEST_F(Rules, OfOneKindTheFirstWinsAndTheLastConfigurationOfARuleCounts) {
  quantizer.set_module_name_qconfig("block.a", kStatic)
      .set_module_name_qconfig("block.b", kReduced)
      .set_module_name_qconfig("block.a", kReduced);
  annotate();
  EXPECT_EQ(range(a), "[0, 127]");
  quantizer.set_function_type_qconfig("torch.nn.functional.conv2d", kStatic)
      .set_module_type_qconfig("torch.nn.Conv2d", kReduced);
  annotate();
  EXPECT_EQ(range(b), "[0, 127]") << "both name one operator";
}

TEST_F(Rules, NoConfigurationLeavesInFloatAndSaysWhy) {
  quantizer.set_global(kStatic).set_module_name_qconfig("block.a", std::nullopt);
  annotate();
  EXPECT_EQ(range(a), "float");
  EXPECT_EQ(reason(a), "left in float by set_module_name_qconfig(block.a)");
  EXPECT_EQ(range(b), "[0, 255]");
  quantizer.set_function_type_qconfig("torch.nn.functional.linear", std::nullopt);
  annotate();
  EXPECT_EQ(reason(fc), "left in float by the rule for aten.linear.default");
}

TEST_F(Rules, APatternIsTakenOnlyIfAllOfItIsSelected) {
  quantizer.set_module_name_qconfig("block.a", kStatic);
  annotate();
  EXPECT_EQ(range(a), "[0, 255]") << "alone";
  EXPECT_FALSE(annotations.is_annotated(relu->producer()));
}

TEST_F(Rules, FilterFunction) {
  quantizer.set_global(kStatic).set_filter_function([&](const Node& node) { return &node != b->producer(); });
  annotate();
  EXPECT_EQ(range(a), "[0, 255]");
  EXPECT_EQ(range(b), "float");
  EXPECT_EQ(reason(b), "left in float by the filter function");
}

TEST_F(Rules, ARuleThatSelectsNothingIsAnError) {
  quantizer.set_module_name_qconfig("tail", kStatic);
  EXPECT_NE(error_text([&] { annotate(); }).find("set_module_name_qconfig(tail): selects no node"), std::string::npos);
  X86InductorQuantizer other;
  other.set_function_type_qconfig("torch.matmul", kStatic);
  EXPECT_NE(error_text([&] {
              other.annotate(net.program(), annotations);
            }).find("the rule for aten.matmul.default: selects no node"),
            std::string::npos);
}

TEST_F(Rules, UnknownFunctionsAndModulesAreErrorsThatListTheKnown) {
  const std::string function = error_text([&] { quantizer.set_function_type_qconfig("torch.softmax", kStatic); });
  EXPECT_NE(function.find("X86InductorQuantizer::set_function_type_qconfig(torch.softmax): it does not quantize"),
            std::string::npos)
      << function;
  EXPECT_NE(function.find("torch.matmul"), std::string::npos) << function;
  const std::string module = error_text([&] { quantizer.set_module_type_qconfig("BatchNorm2d", kStatic); });
  EXPECT_NE(module.find("AdaptiveAvgPool2d"), std::string::npos) << module;
}

TEST_F(Rules, StaticAndDynamicDoNotMix) {
  quantizer.set_global(kStatic);
  const std::string text = error_text([&] { quantizer.set_module_name_qconfig("head", kDynamic); });
  EXPECT_NE(text.find("a dynamic configuration beside a static one"), std::string::npos) << text;
  EXPECT_NE(text.find("ComposableQuantizer"), std::string::npos) << text;
}

TEST_F(Rules, ConfigurationsForTrainingAreRefused) {
  const QuantizationConfig qat = get_default_x86_inductor_quantization_config({.is_qat = true});
  EXPECT_NE(error_text([&] { quantizer.set_global(qat); }).find("the configuration is for training (is_qat)"),
            std::string::npos);
}

}  // namespace
}  // namespace torquant
