#include "torquant/primitives/float8.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

TEST(Float8Tensors, RoundTripByBlocks) {
  const at::Tensor x = at::tensor({448.f, 1.f, -224.f, 2.f}).reshape({2, 2});
  const at::Tensor scale = choose_scale_float8(x, {1, 2}, {});
  EXPECT_TRUE(scale.equal(at::tensor({1.f, 0.5f}).reshape({2, 1})));
  const at::Tensor codes = quantize_affine_float8(x, scale, at::kFloat8_e4m3fn);
  EXPECT_EQ(codes.scalar_type(), at::kFloat8_e4m3fn);
  EXPECT_TRUE(dequantize_affine_float8(codes, scale).equal(x));
  EXPECT_TRUE(quantize_affine_float8(x, at::ones({1}), at::kFloat8_e5m2).to(at::kFloat).equal(x));
}

TEST(Float8Tensors, QuantizingIsLibTorchsCast) {
  const at::Tensor x = at::randn({1000}) * 20;
  for (const auto type : {at::kFloat8_e4m3fn, at::kFloat8_e5m2, at::kFloat8_e4m3fnuz, at::kFloat8_e5m2fnuz}) {
    EXPECT_TRUE(quantize_affine_float8(x, at::ones({1}), type).to(at::kFloat).equal(x.to(type).to(at::kFloat)));
  }
}

TEST(Float8Tensors, RefusalsNameTheValue) {
  const at::Tensor x = at::ones({4, 6});
  EXPECT_EQ(error_text([&] { choose_scale_float8(x, {1, 6}, {.float8_dtype = at::kChar}); }),
            "choose_scale_float8: Char is no float8 dtype with a sign\n"
            "  allowed here: float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz");
  EXPECT_EQ(error_text([&] { quantize_affine_float8(x, at::ones({4, 5}), at::kFloat8_e5m2); }),
            "quantize_affine_float8: scale of shape [4, 5] does not tile a tensor of shape [4, 6]\n"
            "  allowed here: one element, or the same rank with extents that divide the tensor's");
  EXPECT_NE(error_text([&] { quantize_affine_float8(x, at::ones({4}), at::kFloat8_e5m2); }), "");
  EXPECT_NE(error_text([&] { dequantize_affine_float8(x, at::ones({1})); }), "");
  EXPECT_EQ(error_text([&] { quantize_affine_float8(x, at::ones({1}, at::kHalf), at::kFloat8_e5m2); }),
            "quantize_affine_float8: scale is Half\n  allowed here: float32");
}

}  // namespace
}  // namespace torquant
