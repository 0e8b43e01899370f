#include "torquant/primitives/group_quantize.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

TEST(GroupQuantize, SymmetricGroups) {
  const at::Tensor weight = at::tensor({-7.5f, 1.f, 15.f, 2.f}).reshape({1, 4});
  const auto result = group_quantize_tensor_symmetric(weight, {.bits = 4, .group_size = 2});
  EXPECT_TRUE(result.qparams.scale.equal(at::tensor({1.f, 2.f}).reshape({1, 2})));
  EXPECT_TRUE(result.codes.equal(at::tensor({-8, 1, 7, 1}, at::kChar).reshape({1, 4})));
  // A group size above the row is the row.
  EXPECT_EQ(get_group_qparams_symmetric(weight, {.bits = 4, .group_size = 64}).scale.sizes(), at::IntArrayRef({1, 1}));
}

TEST(GroupQuantize, GroupwiseDomainsComeBackToTheWeight) {
  const at::Tensor weight = at::randn({4, 64});
  for (const ZeroPointDomain domain : {ZeroPointDomain::kFloat, ZeroPointDomain::kInt}) {
    const GroupwiseOptions options = {.bits = 8, .group_size = 32, .domain = domain, .preserve_zero = false};
    const auto qparams = get_groupwise_affine_qparams(weight, options, at::kFloat);
    const at::Tensor codes = groupwise_affine_quantize_tensor_from_qparams(weight, qparams, options);
    EXPECT_EQ(codes.scalar_type(), at::kInt);
    const at::Tensor real = groupwise_affine_dequantize_tensor_from_qparams(codes, qparams, options);
    // Half a step, and for the integer zero point half a step more.
    EXPECT_TRUE(((real - weight).abs() <= 1.01 * qparams.scale.repeat_interleave(32, 1)).all().item<bool>());
  }
}

TEST(GroupQuantize, ActivationsByToken) {
  const at::Tensor x = at::tensor({127.f, -2.f, 0.f, 0.f}).reshape({2, 2});
  const auto result = quantize_activation_per_token_absmax(x);
  EXPECT_TRUE(result.codes.equal(at::tensor({127, -2, 0, 0}, at::kChar).reshape({2, 2})));
  EXPECT_EQ(result.qparams.scale[1].item<float>(), 1e-5f);  // the floor
  EXPECT_EQ(quantize_activation_per_token_absmax(x.to(at::kHalf)).qparams.scale.scalar_type(), at::kFloat);
  EXPECT_TRUE(per_token_dynamic_quant(at::tensor({-128.f, 127.f})).equal(at::tensor({-128.f, 127.f})));
}

TEST(GroupQuantize, ErrorIsInDecibels) {
  EXPECT_NEAR(compute_error(at::tensor({3.f, 4.f}), at::tensor({3.f, 4.5f})).item<float>(), 20, 1e-4);
}

TEST(GroupQuantize, RefusalsNameTheValue) {
  const at::Tensor weight = at::ones({4, 64});
  EXPECT_EQ(error_text([&] { get_group_qparams_symmetric(weight, {.bits = 9}); }),
            "get_group_qparams_symmetric: 9 bits\n  allowed here: 1 to 8");
  EXPECT_EQ(
      error_text([&] { get_group_qparams_symmetric(weight, {.bits = 4, .group_size = 48}); }),
      "get_group_qparams_symmetric: group_size 48 of rows of 64 elements\n  allowed here: divisors of 64 above 1");
  EXPECT_EQ(error_text([&] { get_groupwise_affine_qparams(weight[0], {}); }),
            "get_groupwise_affine_qparams: a tensor of shape [64]\n  allowed here: rank 2");
  EXPECT_EQ(error_text([&] { dynamically_quantize_per_channel(weight[0], {-128, 127}, at::kChar); }),
            "dynamically_quantize_per_channel: a tensor of shape [64]\n  allowed here: rank 2");
  EXPECT_EQ(error_text([&] { compute_error(weight, weight.to(at::kHalf)); }),
            "compute_error: y is Half\n  allowed here: float32");
}

}  // namespace
}  // namespace torquant
