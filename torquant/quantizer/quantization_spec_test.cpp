#include "torquant/quantizer/quantization_spec.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

TEST(QuantizationSpec, TextsNameThePlace) {
  TestProgram net;
  Value* x = net.input("x", {4});
  const Node* reader = net.relu(x)->producer();
  EXPECT_EQ(to_string(EdgeOrNode{x, nullptr}), "%x");
  EXPECT_EQ(to_string(EdgeOrNode{x, reader}), "%x → %relu");
  EXPECT_EQ(to_string(AnyQuantizationSpec(SharedQuantizationSpec{{x, reader}})), "shared with %x → %relu");
}

TEST(QuantizationSpec, OnlyASharedOneHasNoOptions) {
  const ObserverOptions options{.dtype = DType::kInt8};
  EXPECT_EQ(*options_of(AnyQuantizationSpec(QuantizationSpec{options, {}})), options);
  EXPECT_EQ(*options_of(AnyQuantizationSpec(FixedQParamsQuantizationSpec{options, 1, 0})), options);
  EXPECT_EQ(*options_of(AnyQuantizationSpec(DerivedQuantizationSpec{{}, nullptr, options})), options);
  EXPECT_EQ(options_of(AnyQuantizationSpec(SharedQuantizationSpec{})), nullptr);
}

TEST(DeriveBiasQParams, MultipliesTheScales) {
  const auto fixed = [](double scale) {
    return make_observer({.type = FixedQParamsSpec{scale, 0}}, {.dtype = DType::kInt8});
  };
  const ObserverPtr input = fixed(0.5);
  const ObserverPtr weight = fixed(0.25);
  const TensorQParams qparams = derive_bias_qparams({input.get(), weight.get()});
  EXPECT_EQ(qparams.scale.item<float>(), 0.125f);
  EXPECT_EQ(qparams.zero_point.item<int>(), 0);
  EXPECT_EQ(error_text([&] { derive_bias_qparams({input.get()}); }),
            "derive_bias_qparams: 1 observers\n  allowed here: 2: the input's and the weight's");
  const ObserverPtr by_channel =
      make_observer({.type = PerChannelMinMaxSpec{}}, {.qscheme = QScheme::kPerChannelAffine});
  by_channel->observe(at::ones({3, 2}));
  EXPECT_EQ(derive_bias_qparams({input.get(), by_channel.get()}).scale.numel(), 3);
  EXPECT_EQ(error_text([&] { derive_bias_qparams({by_channel.get(), weight.get()}); }),
            "derive_bias_qparams: the input has 3 scales\n"
            "  allowed here: 1: products of channels with different scales cannot be added");
}

}  // namespace
}  // namespace torquant
