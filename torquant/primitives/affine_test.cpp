#include "torquant/primitives/affine.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

TEST(ChooseQParamsAffine, OneScaleABlockInTheShapeAskedFor) {
  const at::Tensor x = at::tensor({-1.f, 2.f, 0.f, 8.f, -4.f, 1.f, 3.f, 1.f}).reshape({2, 4});
  const ChooseQParamsOptions symmetric = {.mapping = MappingType::kSymmetric, .target = DType::kInt4};
  const auto groups = choose_qparams_affine(x, {1, 2}, symmetric);
  EXPECT_TRUE(groups.scale.equal(at::tensor({2.f, 8.f, 4.f, 3.f}).reshape({2, 2}) / 7.5f));
  EXPECT_TRUE(groups.zero_point.equal(at::zeros({2, 2}, at::kInt)));
  EXPECT_EQ(choose_qparams_affine(x, {1, 4}, symmetric).scale.sizes(), at::IntArrayRef({2}));
  EXPECT_EQ(choose_qparams_affine(x, {2, 4}, symmetric).scale.dim(), 0);
  ChooseQParamsOptions keepdim = symmetric;
  keepdim.keepdim = true;
  EXPECT_EQ(choose_qparams_affine(x, {1, 4}, keepdim).scale.sizes(), at::IntArrayRef({2, 1}));
}

TEST(ChooseQParamsAffine, ABlockOfOneElementIsABlock) {  // unlike torchao, which reduces the whole tensor
  const at::Tensor x = at::tensor({-7.5f, 15.f}).reshape({1, 2});
  const auto qparams = choose_qparams_affine(x, {1, 1}, {.target = DType::kInt4});
  EXPECT_TRUE(qparams.scale.equal(at::tensor({1.f, 2.f}).reshape({1, 2})));
  EXPECT_TRUE(quantize_affine(x, {1, 1}, qparams, {.dtype = DType::kInt4})
                  .equal(at::tensor({-8, 7}, at::kChar).reshape({1, 2})));  // rne(-7.5), rne(7.5) clamped
}

TEST(ChooseQParamsAffine, ResultsHaveTheDtypesAskedFor) {
  const at::Tensor x = at::ones({4}, at::kBFloat16);
  const auto plain = choose_qparams_affine(x, {4}, {});
  EXPECT_EQ(plain.scale.scalar_type(), at::kBFloat16);
  EXPECT_EQ(plain.zero_point.scalar_type(), at::kInt);
  const auto given = choose_qparams_affine(x, {4}, {.scale_dtype = at::kFloat, .zero_point_dtype = at::kChar});
  EXPECT_EQ(given.scale.scalar_type(), at::kFloat);
  EXPECT_EQ(given.zero_point.scalar_type(), at::kChar);
  const auto tinygemm =
      choose_qparams_affine(x, {4}, {.rule = QParamsRule::kTinygemm, .mapping = MappingType::kAsymmetric});
  EXPECT_EQ(tinygemm.zero_point.scalar_type(), at::kBFloat16);
}

TEST(ChooseQParamsAffine, WithMinMaxIsTheSameRule) {
  const at::Tensor x = at::randn({8, 16});
  const ChooseQParamsOptions options = {.mapping = MappingType::kAsymmetric};
  const auto of_input = choose_qparams_affine(x, {1, 16}, options);
  const auto of_range = choose_qparams_affine_with_min_max(x.amin(1), x.amax(1), options);
  EXPECT_TRUE(of_input.scale.equal(of_range.scale));
  EXPECT_TRUE(of_input.zero_point.equal(of_range.zero_point));
}

TEST(QuantizeAffine, StridedInputsGiveTheValuesOfDenseOnes) {
  const at::Tensor x = at::randn({2, 4, 6, 8});
  const std::vector<int64_t> block = {1, 2, 6, 4};
  const auto qparams = choose_qparams_affine(x, block, {});
  const at::Tensor expected = quantize_affine(x, block, qparams, {});
  const at::Tensor channels_last = x.to(at::MemoryFormat::ChannelsLast);
  const at::Tensor codes = quantize_affine(channels_last, block, qparams, {});
  EXPECT_TRUE(codes.equal(expected));
  EXPECT_EQ(codes.strides(), channels_last.strides());
  EXPECT_TRUE(choose_qparams_affine(channels_last, block, {}).scale.equal(qparams.scale));
  const at::Tensor sliced = at::stack({x, x}, -1).select(-1, 0);  // the last axis has stride 2
  EXPECT_TRUE(quantize_affine(sliced, block, qparams, {}).equal(expected));
  EXPECT_TRUE(dequantize_affine(codes, block, qparams, {}).equal(dequantize_affine(expected, block, qparams, {})));
}

TEST(QuantizeAffine, NoElementsGiveNoCodes) {
  const at::Tensor nothing = at::empty({0, 8});
  const auto qparams = choose_qparams_affine(nothing, {1, 8}, {});
  EXPECT_EQ(qparams.scale.sizes(), at::IntArrayRef({0}));
  const at::Tensor codes = quantize_affine(nothing, {1, 8}, qparams, {});
  EXPECT_EQ(codes.sizes(), nothing.sizes());
  EXPECT_EQ(dequantize_affine(codes, {1, 8}, qparams, {}).sizes(), nothing.sizes());
}

TEST(QuantizeAffine, SubByteCodesAreStoredInBytes) {
  const at::Tensor x = at::tensor({-9.f, 3.f});
  const ScaleAndZeroPoint unit = {at::ones({1}), at::zeros({1}, at::kInt)};
  const at::Tensor codes = quantize_affine(x, {2}, unit, {.dtype = DType::kInt4});
  EXPECT_TRUE(codes.equal(at::tensor({-8, 3}, at::kChar)));
  EXPECT_EQ(quantize_affine(x, {2}, unit, {.dtype = DType::kUInt3}).scalar_type(), at::kByte);
}

TEST(DequantizeAffine, ReturnsWhatTheCodesMean) {
  const at::Tensor codes = at::tensor({-8, 0, 7}, at::kChar);
  const ScaleAndZeroPoint qparams = {at::tensor({0.5f}), at::tensor({-1}, at::kInt)};
  EXPECT_TRUE(dequantize_affine(codes, {3}, qparams, {}).equal(at::tensor({-3.5f, 0.5f, 4.f})));
  EXPECT_EQ(dequantize_affine(codes, {3}, qparams, {}, at::kHalf).scalar_type(), at::kHalf);
  const ScaleAndZeroPoint no_zero_point = {at::tensor({0.5f}), {}};
  EXPECT_TRUE(dequantize_affine(codes, {3}, no_zero_point, {}).equal(at::tensor({-4.f, 0.f, 3.5f})));
}

TEST(FakeQuantizeAffine, IsQuantizeAndDequantize) {
  const at::Tensor x = at::randn({4, 32});
  for (const ZeroPointRule rule : {ZeroPointRule::kAfterRounding, ZeroPointRule::kFloat, ZeroPointRule::kNone}) {
    ChooseQParamsOptions choose = {.mapping = MappingType::kAsymmetric, .target = DType::kUInt4};
    if (rule == ZeroPointRule::kFloat) choose.rule = QParamsRule::kTinygemm;
    ScaleAndZeroPoint qparams = choose_qparams_affine(x, {1, 8}, choose);
    if (rule == ZeroPointRule::kNone) qparams.zero_point = at::Tensor();
    const CodeOptions options = {.rule = rule, .dtype = DType::kUInt4};
    const at::Tensor expected =
        dequantize_affine(quantize_affine(x, {1, 8}, qparams, options), {1, 8}, qparams, options);
    EXPECT_TRUE(fake_quantize_affine(x, {1, 8}, qparams, options).equal(expected));
  }
}

TEST(FakeQuantizeAffine, GradientPassesWhereTheCodeWasInside) {
  const at::Tensor x = at::tensor({0.3f, 100.f, -100.f, -1.f}).requires_grad_(true);
  const ScaleAndZeroPoint qparams = {at::tensor({0.5f}), at::zeros({1}, at::kInt)};
  const at::Tensor y = fake_quantize_affine(x, {4}, qparams, {.dtype = DType::kInt4});
  (y * at::tensor({1.f, 2.f, 3.f, 4.f})).sum().backward();
  EXPECT_TRUE(x.grad().equal(at::tensor({1.f, 0.f, 0.f, 4.f})));
}

// The gradient must be the one that autograd finds for the same operations.
TEST(FakeQuantizeAffine, GradientIsAutogradsForEveryRule) {
  const at::Tensor scale = at::rand({4, 1}) + 0.05;
  const at::Tensor weight = at::randn({4, 8});
  const auto straight_through_round = [](const at::Tensor& v) { return v + (v.round() - v).detach(); };
  const auto clamp_like = [](const at::Tensor& v) { return v.clamp(-8, 7); };
  for (const ZeroPointRule rule : {ZeroPointRule::kAfterRounding, ZeroPointRule::kFloat, ZeroPointRule::kNone}) {
    const at::Tensor zero_point = rule == ZeroPointRule::kFloat ? at::rand({4, 1}) : at::ones({4, 1});
    const at::Tensor x = at::randn({4, 8}).requires_grad_(true);
    const at::Tensor copy = x.detach().clone().requires_grad_(true);
    const ScaleAndZeroPoint qparams = {scale, rule == ZeroPointRule::kNone ? at::Tensor() : zero_point};
    (fake_quantize_affine(x, {1, 8}, qparams, {.rule = rule, .dtype = DType::kInt4}) * weight).sum().backward();
    at::Tensor y;
    if (rule == ZeroPointRule::kFloat) {  // mid is 0
      y = clamp_like(straight_through_round((copy - zero_point) / scale)) * scale + zero_point;
    } else {
      const at::Tensor z = rule == ZeroPointRule::kNone ? at::zeros({1}) : zero_point;
      y = (clamp_like(straight_through_round(copy * (1.0 / scale)) + z) - z) * scale;
    }
    (y * weight).sum().backward();
    EXPECT_TRUE(x.grad().equal(copy.grad())) << static_cast<int>(rule);
  }
}

TEST(FakeQuantizeAffine, StridedInputsHaveTheGradientOfDenseOnes) {
  const at::Tensor values = at::randn({2, 4, 6, 8});
  const ScaleAndZeroPoint qparams = {at::rand({4}) * 0.2 + 0.01, at::zeros({4}, at::kInt)};
  const at::Tensor weight = at::randn({2, 4, 6, 8});
  const auto gradient = [&](const at::Tensor& input) {
    const at::Tensor x = input.detach().requires_grad_(true);
    (fake_quantize_affine(x, {2, 1, 6, 8}, qparams, {}) * weight).sum().backward();
    return x.grad();
  };
  EXPECT_TRUE(gradient(values).equal(gradient(values.to(at::MemoryFormat::ChannelsLast))));
}

TEST(FakeQuantizeAffine, MaskIsFalseForNaNAlone) {  // Q19
  const at::Tensor x = at::tensor({0.f, 1e9f, std::numeric_limits<float>::quiet_NaN()});
  const ScaleAndZeroPoint qparams = {at::ones({1}), at::zeros({1}, at::kInt)};
  const auto [output, mask] = fake_quantize_affine_cachemask(x, {3}, qparams, {});
  EXPECT_TRUE(mask.equal(at::tensor({1, 1, 0}).to(at::kBool)));
}

TEST(Affine, RefusalsNameTheValue) {
  const at::Tensor x = at::randn({4, 32});
  const ScaleAndZeroPoint rows = {at::ones({4}), at::zeros({4}, at::kInt)};
  EXPECT_EQ(error_text([&] { choose_qparams_affine(x.to(at::kInt), {1, 32}, {}); }),
            "choose_qparams_affine: input is Int\n  allowed here: float32, float16, bfloat16, float64");
  EXPECT_EQ(error_text([&] { choose_qparams_affine(x, {1, 32}, {.rule = QParamsRule::kTinygemm}); }),
            "choose_qparams_affine: this rule has no symmetric mapping\n"
            "  allowed here: MappingType::kAsymmetric (ASYMMETRIC)");
  EXPECT_EQ(error_text([&] { choose_qparams_affine(x, {1, 5}, {}); }),
            "choose_qparams_affine: block_size [1, 5] does not divide shape [4, 32] along axis 1\n"
            "  allowed here: divisors of 32, from 1");
  EXPECT_EQ(error_text([&] { choose_qparams_affine_with_min_max(at::ones({2}), at::ones({3}), {}); }),
            "choose_qparams_affine_with_min_max: min has 2 elements, max has 3, or their shapes differ\n"
            "  allowed here: tensors of one shape");
  EXPECT_EQ(error_text([&] { quantize_affine(x.to(at::kDouble), {1, 32}, rows, {}); }),
            "quantize_affine: input is Double\n  allowed here: float32, float16, bfloat16");
  EXPECT_EQ(error_text([&] { quantize_affine(x, {2, 32}, rows, {}); }),
            "quantize_affine: scale has 4 elements, the input has 2 blocks of its block size\n"
            "  allowed here: 2 elements");
  EXPECT_EQ(error_text([&] { quantize_affine(x, {1, 32}, {at::ones({4}), {}}, {}); }),
            "quantize_affine: zero_point is undefined\n"
            "  allowed here: a tensor of as many elements as scale\n"
            "  to go on: use ZeroPointRule::kNone (quantize_affine_no_zero_point) for codes without zero point");
  EXPECT_EQ(error_text([&] { quantize_affine(x, {1, 32}, rows, {.rule = ZeroPointRule::kNone}); }),
            "quantize_affine: a zero point is given to the rule without zero point");
  EXPECT_NE(error_text([&] { quantize_affine(x, {1, 32}, rows, {.quant_min = 0, .quant_max = 200}); }), "");
  EXPECT_EQ(error_text([&] { dequantize_affine(x, {1, 32}, rows, {}); }),
            "dequantize_affine: codes is Float\n  allowed here: int8");
  EXPECT_EQ(error_text([&] { dequantize_affine(x.to(at::kChar), {1, 32}, rows, {}, at::kInt); }),
            "dequantize_affine: output_dtype is Int\n  allowed here: float32, float16, bfloat16");
  EXPECT_EQ(error_text([&] { fake_quantize_affine(x, {1, 32}, {{}, {}}, {}); }),
            "fake_quantize_affine: scale is undefined");
}

}  // namespace
}  // namespace torquant
