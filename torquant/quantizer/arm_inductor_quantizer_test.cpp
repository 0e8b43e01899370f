#include "torquant/quantizer/arm_inductor_quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/test_program.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

TEST(ArmConfig, Int8ActivationsAndWeightsATensor) {
  const QuantizationConfig config = get_default_arm_inductor_quantization_config();
  EXPECT_EQ(to_string(AnyQuantizationSpec(*config.input_activation)),
            "int8 [-128, 127], per_tensor_affine, HistogramObserver(bins=2048, eps=0.00024414062)");
  EXPECT_EQ(to_string(AnyQuantizationSpec(*config.weight)),
            "int8 [-128, 127], per_tensor_symmetric, MinMaxObserver(eps=0.00024414062)");
}

TEST(ArmConfig, Training) {
  const QuantizationConfig config = get_default_arm_inductor_quantization_config({.is_qat = true});
  EXPECT_TRUE(config.is_qat);
  EXPECT_EQ(config.weight->observer.fake_quantize, FakeQuantizeType::kFused);
  EXPECT_TRUE(std::holds_alternative<MovingAverageMinMaxSpec>(config.weight->observer.type));
}

TEST(ArmInductorQuantizer, LayersButNoPoolsAndNoProducts) {
  TestProgram net;
  Value* x = net.input("x", {1, 4, 8, 8});
  Value* a = net.conv2d(x, "a", 4);
  Value* pool = net.op("aten.max_pool2d.default", {{"self", a}, {"kernel_size", std::vector<int64_t>{2}}});
  Value* b = net.conv2d(pool, "b", 4, 1);
  Value* sum = net.op("aten.add.Tensor", {{"self", pool}, {"other", b}});
  Value* product = net.op("aten.mul.Tensor", {{"self", sum}, {"other", sum}});
  net.returns({product});
  Annotations annotations;
  ArmInductorQuantizer quantizer;
  quantizer.set_global(get_default_arm_inductor_quantization_config());
  quantizer.annotate(net.program(), annotations);
  EXPECT_EQ(annotations.size(), 3u) << "two convolutions, and the add that reads the second";
  EXPECT_EQ(annotations.find(pool->producer()), nullptr);
  EXPECT_EQ(annotations.find(product->producer()), nullptr);
  const QuantizationAnnotation* add = annotations.find(sum->producer());
  ASSERT_NE(add, nullptr);
  EXPECT_NE(add->find_input(pool), nullptr);
  EXPECT_EQ(add->find_input(b), nullptr) << "computed with the convolution";
}

TEST(ArmInductorQuantizer, CapabilitiesAreTheTable) {
  const std::vector<Capability> rows = ArmInductorQuantizer().capabilities();
  EXPECT_TRUE(serves(rows, ops::kConv2d));
  EXPECT_TRUE(serves(rows, ops::kLinear));
  EXPECT_FALSE(serves(rows, ops::kMatmul)) << "on request";
  EXPECT_FALSE(serves(rows, ops::kMul));
  const auto add = std::ranges::find(rows, "conv2d + add", &Capability::pattern);
  ASSERT_NE(add, rows.end());
  EXPECT_EQ(scheme_text(add->weight), "int8 [-128, 127], per_tensor_symmetric");
}

}  // namespace
}  // namespace torquant
