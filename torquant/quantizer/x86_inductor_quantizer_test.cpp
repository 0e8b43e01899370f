#include "torquant/quantizer/x86_inductor_quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/test_program.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

TEST(X86Config, Static) {
  const QuantizationConfig config = get_default_x86_inductor_quantization_config();
  EXPECT_EQ(to_string(AnyQuantizationSpec(*config.input_activation)),
            "uint8 [0, 255], per_tensor_affine, HistogramObserver(bins=2048, eps=0.00024414062)");
  EXPECT_EQ(to_string(AnyQuantizationSpec(*config.weight)),
            "int8 [-128, 127], per_channel_symmetric along axis 0, PerChannelMinMaxObserver(eps=0.00024414062)");
  EXPECT_FALSE(config.is_dynamic());
}

TEST(X86Config, ReduceRangeNarrowsActivationsAlone) {
  const QuantizationConfig config = get_default_x86_inductor_quantization_config({.reduce_range = true});
  EXPECT_EQ(config.input_activation->options.quant_range, (QuantRange{0, 127}));
  EXPECT_EQ(config.weight, get_default_x86_inductor_quantization_config().weight);
}

TEST(X86Config, DynamicHasNoActivationObserver) {
  const QuantizationConfig config = get_default_x86_inductor_quantization_config({.is_dynamic = true});
  EXPECT_TRUE(config.is_dynamic());
  EXPECT_TRUE(std::holds_alternative<PlaceholderSpec>(config.input_activation->observer.type));
}

TEST(X86Config, Training) {
  const QuantizationConfig still = get_default_x86_inductor_quantization_config({.is_qat = true});
  EXPECT_EQ(still.input_activation->observer.fake_quantize, FakeQuantizeType::kFused);
  EXPECT_EQ(still.input_activation->observer.type, ObserverType(MovingAverageMinMaxSpec{.averaging_constant = 0.01}));
  EXPECT_EQ(still.weight->observer.type, ObserverType(MovingAveragePerChannelMinMaxSpec{}));
  const QuantizationConfig dynamic = get_default_x86_inductor_quantization_config({.is_qat = true, .is_dynamic = true});
  EXPECT_EQ(dynamic.input_activation->observer.fake_quantize, FakeQuantizeType::kPlain);
  EXPECT_EQ(dynamic.input_activation->observer.type, ObserverType(MovingAverageMinMaxSpec{.averaging_constant = 1}));
}

TEST(X86Config, Float16) {
  const QuantizationConfig config = get_x86_inductor_linear_dynamic_fp16_config();
  EXPECT_FALSE(config.input_activation.has_value());
  EXPECT_EQ(config.weight->options.dtype, DType::kFloat16);
}

// Nets under the static configuration. What follows a pattern and could run on integers shows where it ended.
class X86 : public testing::Test {
 protected:
  void annotate(const std::vector<Value*>& outputs) {
    net.returns(outputs);
    quantizer.set_global(get_default_x86_inductor_quantization_config());
    annotations = {};
    quantizer.annotate(net.program(), annotations);
  }
  // The inputs of the node that have specs of their own, or share.
  std::string inputs(Value* of) const {
    const QuantizationAnnotation* annotation = annotations.find(of->producer());
    std::string text;
    if (annotation == nullptr) return text;
    for (const auto& [value, spec] : annotation->input_qspec_map) {
      const auto* shared = std::get_if<SharedQuantizationSpec>(&spec);
      text += (text.empty() ? "" : ", ") + value->name() + (shared == nullptr ? "" : " as " + to_string(shared->with));
    }
    return text;
  }
  std::string output(Value* of) const {
    const QuantizationAnnotation* annotation = annotations.find(of->producer());
    return annotation == nullptr || !annotation->output_qspec ? "" : to_string(*annotation->output_qspec);
  }
  std::string reason(Value* of) const {
    const std::string* text = annotations.reason(of->producer());
    return text == nullptr ? "" : *text;
  }
  Value* conv(Value* input, const std::string& module) { return net.conv2d(input, module, 4, 1); }
  Value* module(const std::string& op, Value* input, const std::string& type) {
    return net.op(op, {{"self", input}}, "act", "torch.nn.modules.activation." + type);
  }
  Value* add(Value* a, Value* b) { return net.op("aten.add.Tensor", {{"self", a}, {"other", b}}); }
  Value* pool(Value* input) {
    return net.op("aten.max_pool2d.default", {{"self", input}, {"kernel_size", std::vector<int64_t>{2}}});
  }
  // Whether a pool behind it runs on integers.
  bool ends_a_pattern(Value* value) {
    Value* behind = pool(value);
    annotate({behind});
    return !inputs(behind).empty();
  }

  TestProgram net;
  Value* x = net.input("x", {1, 4, 8, 8});
  X86InductorQuantizer quantizer;
  Annotations annotations;
};

TEST_F(X86, ALayerObservesInputAndWeightButNotItsOutput) {
  Value* y = conv(x, "c");
  annotate({y});
  EXPECT_EQ(inputs(y), "x, p_c_weight");
  EXPECT_EQ(output(y), "");
}

TEST_F(X86, ConvolutionAndActivation) {
  for (const auto& [op, type] : {std::pair{"relu", "ReLU"},
                                 {"hardtanh", "Hardtanh"},
                                 {"hardtanh", "ReLU6"},
                                 {"hardswish", "Hardswish"},
                                 {"silu", "SiLU"}}) {
    net = TestProgram();
    x = net.input("x", {1, 4, 8, 8});
    EXPECT_TRUE(ends_a_pattern(module(std::string("aten.") + op + ".default", conv(x, "c"), type))) << type;
  }
}

TEST_F(X86, ConvolutionAndOtherActivationsAreTwoThings) {
  EXPECT_FALSE(ends_a_pattern(module("aten.gelu.default", conv(x, "c"), "GELU")));
}

TEST_F(X86, TheConvolutionInAPatternIsNoLongerAnEnd) {
  Value* y = conv(x, "c");
  Value* relu = module("aten.relu.default", y, "ReLU");
  Value* behind = pool(y);
  annotate({relu, behind});
  EXPECT_EQ(inputs(behind), "");
}

TEST_F(X86, AddReadsItsOtherOperandAsIntegers) {
  Value* y = conv(x, "c");
  Value* sum = add(x, y);
  Value* relu = module("aten.relu.default", sum, "ReLU");
  EXPECT_TRUE(ends_a_pattern(relu));
  EXPECT_EQ(inputs(sum), "x");
}

TEST_F(X86, OfTwoConvolutionsTheFirstIsComputedWithTheAdd) {
  Value* a = conv(x, "a");
  Value* b = conv(x, "b");
  Value* sum = add(b, a);
  annotate({sum});
  EXPECT_EQ(inputs(sum), b->name());
  EXPECT_EQ(inputs(a), "x, p_a_weight");
  EXPECT_EQ(inputs(b), "x, p_b_weight");
}

TEST_F(X86, OfTwoCallsOfOneConvolutionTheLastIsComputedWithTheAdd) {
  Value* weight = net.parameter("c.weight", {4, 4, 1, 1});
  const auto call = [&] {
    return net.op("aten.conv2d.default", {{"input", x}, {"weight", weight}}, "c", "torch.nn.modules.conv.Conv2d");
  };
  Value* a = call();
  Value* b = call();
  Value* sum = add(a, b);
  annotate({sum});
  EXPECT_EQ(inputs(sum), a->name()) << "the parameter belongs to its last reader";
}

TEST_F(X86, ConvolutionsWrittenAlikeComeTogether) {
  // F.conv2d comes first in the graph, so it goes before the nn.Conv2d even where it is called after it.
  const auto function = [&](Value* input, const std::string& name) {
    Value* y = net.op("aten.conv2d.default", {{"input", input}, {"weight", net.parameter(name, {4, 4, 1, 1})}});
    y->producer()->set_metadata("torch_fn", "conv2d_1;builtin_function_or_method.conv2d");
    return y;
  };
  Value* first = function(x, "w");
  Value* a = conv(first, "a");
  Value* b = function(first, "v");
  Value* sum = add(a, b);
  annotate({sum});
  EXPECT_EQ(inputs(sum), a->name());
}

TEST_F(X86, AConvolutionThatOthersReadIsNotComputedWithTheAdd) {
  Value* y = conv(x, "c");
  Value* sum = add(x, y);
  annotate({sum, y});
  EXPECT_EQ(inputs(sum), "");
}

TEST_F(X86, AnAddOfANumberIsNoPartOfAPattern) {
  Value* y = conv(x, "c");
  Value* sum = net.op("aten.add.Tensor", {{"self", y}, {"other", 1.5}});
  annotate({sum});
  EXPECT_EQ(inputs(y), "x, p_c_weight");
  EXPECT_EQ(inputs(sum), "");
}

TEST_F(X86, Conv1dOnlyWithRelu) {
  net = TestProgram();
  Value* sequence = net.input("s", {1, 4, 8});
  const auto conv1d = [&](Value* input, const std::string& name) {
    return net.op("aten.conv1d.default", {{"input", input}, {"weight", net.parameter(name, {4, 4, 1})}});
  };
  Value* y = conv1d(sequence, "a");
  Value* relu = module("aten.relu.default", y, "ReLU");
  Value* z = conv1d(relu, "b");
  annotate({z});
  EXPECT_EQ(inputs(y), "s, p_a");
  EXPECT_EQ(inputs(z), "");
  EXPECT_EQ(reason(z), "X86InductorQuantizer takes it only as conv1d + relu");
}

TEST_F(X86, LinearLeavesTheOtherOperandOfItsAddInFloat) {
  net = TestProgram();
  Value* input = net.input("v", {2, 4});
  Value* y = net.linear(input, "fc", 4);
  Value* sum = add(y, input);
  Value* flat = net.op("aten.flatten.using_ints", {{"self", sum}});
  annotate({flat, net.linear(flat, "last", 2)});
  EXPECT_EQ(inputs(y), "v, p_fc_weight");
  EXPECT_EQ(inputs(sum), "");
  EXPECT_EQ(inputs(flat), sum->name()) << "the sum ends a pattern";
}

TEST_F(X86, ProductsOfTensorsOfOneSize) {
  Value* y = conv(x, "c");
  Value* square = net.op("aten.mul.Tensor", {{"self", y}, {"other", x}});
  Value* half = net.op("aten.mul.Tensor", {{"self", square}, {"other", 0.5}});
  Value* scaled = net.op("aten.mul.Tensor", {{"self", half}, {"other", net.parameter("s", {4, 1, 1})}});
  Value* whole = net.input("i", {1, 4, 8, 8}, at::kInt);
  Value* integers = net.op("aten.mul.Tensor", {{"self", whole}, {"other", whole}});
  Value* written = net.op("aten.mul.Tensor", {{"self", scaled}, {"other", y}});
  written->producer()->set_metadata("torch_fn", "mul__1;method_descriptor.mul_");
  annotate({written, integers});
  EXPECT_EQ(inputs(square), y->name() + ", x");
  EXPECT_EQ(reason(half), "its operand other is a number");
  EXPECT_EQ(reason(scaled), "its operands have different sizes");
  EXPECT_EQ(reason(integers), "its operand %i is no tensor of floats");
  EXPECT_EQ(reason(written), "it is written in place, as mul_");
}

TEST_F(X86, MatmulOnRequest) {
  const auto product = [&](const char* op) {
    net = TestProgram();
    quantizer = {};
    Value* input = net.input("v", {2, 4, 4});
    return net.op(op, {{"self", input}, {std::string(op) == "aten.bmm.default" ? "mat2" : "other", input}}, "att");
  };
  Value* y = product("aten.matmul.default");
  annotate({y});
  EXPECT_EQ(reason(y), "X86InductorQuantizer takes it on request: a rule for the operator");
  quantizer.set_function_type_qconfig("torch.matmul", get_default_x86_inductor_quantization_config());
  annotate({y});
  EXPECT_EQ(inputs(y), "v");
  y = product("aten.matmul.default");
  quantizer.set_module_name_qconfig("att", get_default_x86_inductor_quantization_config());
  annotate({y});
  EXPECT_EQ(inputs(y), "v") << "a module rule takes it too";
  y = product("aten.bmm.default");
  quantizer.set_function_type_qconfig("torch.bmm", get_default_x86_inductor_quantization_config());
  annotate({y});
  EXPECT_EQ(inputs(y), "v");
}

TEST_F(X86, PoolsAndCatShareTheObserverOfTheirInput) {
  Value* y = conv(x, "c");
  Value* pooled = pool(y);
  Value* again = net.op("aten.avg_pool2d.default", {{"self", pooled}, {"kernel_size", std::vector<int64_t>{1}}});
  Value* all = net.op("aten.cat.default", {{"tensors", std::vector<Value*>{again, pooled}}, {"dim", int64_t{1}}});
  annotate({all});
  EXPECT_EQ(inputs(pooled), y->name());
  EXPECT_EQ(output(pooled), "shared with %conv2d → %max_pool2d");
  EXPECT_EQ(inputs(again), pooled->name());
  EXPECT_EQ(inputs(all), "avg_pool2d, max_pool2d as %avg_pool2d → %cat");
  EXPECT_EQ(output(all), "shared with %avg_pool2d → %cat");
}

TEST_F(X86, CatOfAFloatStaysInFloat) {
  Value* all = net.op("aten.cat.default", {{"tensors", std::vector<Value*>{conv(x, "c"), x}}, {"dim", int64_t{1}}});
  annotate({all});
  EXPECT_EQ(inputs(all), "");
}

TEST_F(X86, FlattenOnlyWhereItsReadersComputeOnIntegers) {
  Value* y = conv(x, "c");
  Value* flat = net.op("aten.flatten.using_ints", {{"self", y}, {"start_dim", int64_t{1}}});
  Value* softmax = net.op("aten.softmax.int", {{"self", flat}, {"dim", int64_t{1}}});
  annotate({softmax});
  EXPECT_EQ(inputs(flat), "");
  annotate({softmax, net.linear(flat, "fc", 2)});
  EXPECT_EQ(inputs(flat), y->name());
}

TEST(X86InductorQuantizer, CapabilitiesAreTheTable) {
  const std::vector<Capability> rows = X86InductorQuantizer().capabilities();
  const auto fused = std::ranges::find(rows, "conv2d + add + relu", &Capability::pattern);
  ASSERT_NE(fused, rows.end());
  EXPECT_EQ(mode_of(*fused), "static");
  EXPECT_EQ(scheme_text(fused->activation), "uint8 [0, 255], per_tensor_affine");
  EXPECT_EQ(scheme_text(fused->weight), "int8 [-128, 127], per_channel_symmetric along axis 0");
  EXPECT_FALSE(serves(rows, ops::kMatmul));
  EXPECT_TRUE(serves(rows, ops::kMul));
  const auto pool = std::ranges::find(rows, "max_pool2d", &Capability::pattern);
  ASSERT_NE(pool, rows.end());
  EXPECT_TRUE(pool->follows);
}

}  // namespace
}  // namespace torquant
