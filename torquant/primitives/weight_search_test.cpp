#include "torquant/primitives/weight_search.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

TEST(WeightSearch, HqqCodesMeanTheWeight) {
  const at::Tensor weight = at::randn({8, 64});
  const auto hqq = choose_qparams_and_quantize_affine_hqq(weight, {.group_size = 32, .compute_dtype = at::kFloat});
  const at::Tensor groups = hqq.codes.reshape({-1, 32}).to(at::kFloat);
  const at::Tensor real = (groups - 8) * hqq.scale + hqq.zero_point;             // tinygemm's form
  EXPECT_LT((real.reshape({8, 64}) - weight).abs().mean().item<float>(), 0.12);  // a quarter of a step of about 4 / 15
  const auto raw = choose_qparams_and_quantize_affine_hqq(
      weight, {.group_size = 32, .compute_dtype = at::kFloat, .raw_output = true});
  EXPECT_EQ(raw.scale.sizes(), at::IntArrayRef({8, 2}));
  EXPECT_TRUE(((groups - raw.zero_point.reshape({-1, 1})) * raw.scale.reshape({-1, 1})).allclose(real, 1e-4, 1e-5));
}

TEST(WeightSearch, ScaleOnlyAndSinqCodesMeanTheWeight) {
  const at::Tensor weight = at::randn({8, 64});
  const auto hqq = choose_qparams_and_quantize_scale_only_hqq(weight, {1, 16}, {-8, 7});
  const at::Tensor real = hqq.codes * hqq.scale.repeat_interleave(16, 1);
  EXPECT_LT((real - weight).abs().mean().item<float>(), 0.1);
  const auto sinq = choose_qparams_and_quantize_scale_only_sinq(weight, {.group_size = 16});
  const at::Tensor sinq_real =
      sinq.codes * sinq.row_scale.to(at::kFloat).repeat_interleave(16, 1) * sinq.col_scale.to(at::kFloat);
  EXPECT_LT((sinq_real - weight).abs().mean().item<float>(), 0.1);
}

TEST(WeightSearch, GgufShapesFollowTorchao) {
  const auto one = choose_qparams_gguf(at::randn({2, 256}), {1, 32});
  EXPECT_EQ(one.super_block_scale_scale.sizes(), at::IntArrayRef({2}));
  EXPECT_EQ(one.quantized_block_scale.sizes(), at::IntArrayRef({2, 8}));
  const auto two = choose_qparams_gguf(at::randn({2, 512}), {1, 32});
  EXPECT_EQ(two.super_block_scale_scale.sizes(), at::IntArrayRef({2, 2}));
  EXPECT_EQ(two.quantized_block_scale.sizes(), at::IntArrayRef({2, 2, 8}));
}

TEST(WeightSearch, RefusalsNameTheValue) {
  const at::Tensor weight = at::randn({8, 64});
  EXPECT_EQ(error_text([&] { choose_qparams_and_quantize_affine_hqq(weight, {.bits = 9}); }),
            "choose_qparams_and_quantize_affine_hqq: 9 bits\n  allowed here: 1 to 8");
  EXPECT_EQ(error_text([&] { choose_qparams_and_quantize_affine_hqq(weight, {.axis = 2}); }),
            "choose_qparams_and_quantize_affine_hqq: axis 2\n  allowed here: 0, 1");
  EXPECT_EQ(error_text([&] { choose_qparams_and_quantize_affine_hqq(weight, {.group_size = 100}); }),
            "choose_qparams_and_quantize_affine_hqq: group_size 100 does not divide the 512 elements of the weight\n"
            "  allowed here: divisors of 512, from 1");
  EXPECT_EQ(error_text([&] { choose_qparams_and_quantize_scale_only_hqq(weight, {2, 16}, {-8, 7}); }),
            "choose_qparams_and_quantize_scale_only_hqq: block_size [2, 16]\n  allowed here: [1, group_size]");
  EXPECT_EQ(error_text([&] { choose_qparams_and_quantize_scale_only_hqq(weight, {1, 16}, {7, 7}); }),
            "choose_qparams_and_quantize_scale_only_hqq: range 7 to 7\n  allowed here: min < max");
  EXPECT_EQ(error_text([&] { choose_qparams_and_quantize_scale_only_hqq(weight[0], {1, 16}, {-8, 7}); }),
            "choose_qparams_and_quantize_scale_only_hqq: weight has shape [64]\n  allowed here: rank 2");
  EXPECT_EQ(error_text([&] { choose_qparams_and_quantize_scale_only_sinq(weight, {.group_size = 48}); }),
            "choose_qparams_and_quantize_scale_only_sinq: group_size 48 does not divide the 64 columns of the weight\n"
            "  allowed here: divisors of 64, from 1");
  EXPECT_EQ(error_text([&] { choose_qparams_gguf(weight, {1, 32}); }),
            "choose_qparams_gguf: shape [8, 64] in blocks of [1, 32]\n"
            "  allowed here: rows of a multiple of 256 elements in blocks [1, n], n a divisor of 256");
  const at::Tensor long_rows = at::randn({1, 256});
  GgufTensors qparams = choose_qparams_gguf(long_rows, {1, 32});
  qparams.quantized_block_min = at::ones({3});
  EXPECT_EQ(error_text([&] { quantize_gguf(long_rows, {1, 32}, qparams); }),
            "quantize_gguf: quantized_block_min has 3 elements\n  allowed here: a contiguous tensor of 8");
}

}  // namespace
}  // namespace torquant
