#include "torquant/primitives/decomposed.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant::decomposed {
namespace {

constexpr QuantRange kInt8 = {-128, 127};

TEST(PerTensor, QuantizesAndBack) {
  const at::Tensor x = at::tensor({-1.f, 0.25f, 0.75f, 100.f});
  const at::Tensor codes = quantize_per_tensor(x, 0.5, 3, kInt8, at::kChar);
  EXPECT_TRUE(codes.equal(at::tensor({1, 3, 5, 127}, at::kChar)));
  EXPECT_TRUE(dequantize_per_tensor(codes, 0.5, 3, at::kChar).equal(at::tensor({-1.f, 0.f, 1.f, 62.f})));
  EXPECT_TRUE(quantize_per_tensor(x.to(at::kHalf), 0.5, 3, kInt8, at::kChar).equal(codes));
}

TEST(PerTensor, KeepsStridesAndAcceptsNoElements) {
  const at::Tensor image = at::randn({2, 3, 4, 5}).to(at::MemoryFormat::ChannelsLast);
  const at::Tensor codes = quantize_per_tensor(image, 0.1, 0, kInt8, at::kChar);
  EXPECT_EQ(codes.strides(), image.strides());
  EXPECT_TRUE(codes.equal(quantize_per_tensor(image.contiguous(), 0.1, 0, kInt8, at::kChar)));
  EXPECT_EQ(dequantize_per_tensor(codes, 0.1, 0, at::kChar).strides(), image.strides());
  const at::Tensor nothing = at::empty({0, 3});
  EXPECT_EQ(quantize_per_tensor(nothing, 0.1, 0, kInt8, at::kChar).sizes(), nothing.sizes());
  const at::Tensor scalar = at::scalar_tensor(1.0);
  EXPECT_EQ(quantize_per_tensor(scalar, 0.1, 0, kInt8, at::kChar).item<int>(), 10);
}

TEST(PerTensor, RefusalsNameTheValue) {
  const at::Tensor x = at::ones({2});
  EXPECT_EQ(error_text([&] { quantize_per_tensor(x, 0, 0, kInt8, at::kChar); }),
            "quantize_per_tensor: scale is 0\n  allowed here: positive, finite numbers");
  EXPECT_NE(error_text([&] { quantize_per_tensor(x, -0.1, 0, kInt8, at::kChar); }), "");
  EXPECT_NE(error_text([&] { quantize_per_tensor(x, std::nan(""), 0, kInt8, at::kChar); }), "");
  EXPECT_NE(error_text([&] { dequantize_per_tensor(x.to(at::kChar), INFINITY, 0, at::kChar); }), "");
  EXPECT_EQ(error_text([&] { quantize_per_tensor(x, 1, 0, {-129, 127}, at::kChar); }),
            "quantize_per_tensor: quant_min -129 and quant_max 127 are no range of int8\n"
            "  allowed here: -128 <= quant_min < quant_max <= 127");
  EXPECT_EQ(error_text([&] { quantize_per_tensor(x.to(at::kInt), 1, 0, kInt8, at::kChar); }),
            "quantize_per_tensor: input is Int\n  allowed here: float32, float16, bfloat16");
  EXPECT_EQ(error_text([&] { dequantize_per_tensor(x.to(at::kByte), 1, 0, at::kChar); }),
            "dequantize_per_tensor: input is Byte\n  allowed here: int8");
  EXPECT_NE(error_text([&] { quantize_per_tensor(x, 1, 0, kInt8, at::kLong); }), "");
}

TEST(PerChannel, EveryAxisAndStride) {
  const at::Tensor x = at::randn({4, 6, 5});
  for (const int64_t axis : {0, 1, 2, -1}) {
    const int64_t channels = x.size(axis);
    const ScaleAndZeroPoint qparams = {at::rand({channels}) * 0.1 + 0.01, at::randint(-3, 4, {channels}, at::kLong)};
    const at::Tensor codes = quantize_per_channel(x, qparams, axis, kInt8, at::kChar);
    const at::Tensor real = dequantize_per_channel(codes, qparams, axis, at::kChar);
    for (int64_t c = 0; c < channels; ++c) {
      const ScaleAndZeroPoint one = {qparams.scale.slice(0, c, c + 1), qparams.zero_point.slice(0, c, c + 1)};
      const at::Tensor channel = quantize_affine(x.select(axis, c), x.select(axis, c).sizes(), one, {});
      EXPECT_TRUE(codes.select(axis, c).equal(channel));
      EXPECT_TRUE(real.select(axis, c).equal(dequantize_affine(channel, channel.sizes(), one, {})));
    }
    const at::Tensor transposed = x.transpose(0, 2).contiguous().transpose(0, 2);
    EXPECT_TRUE(quantize_per_channel(transposed, qparams, axis, kInt8, at::kChar).equal(codes));
  }
}

TEST(PerChannel, DequantizesFloat8Codes) {  // which PyTorch cannot
  const at::Tensor codes = at::tensor({1.f, 448.f}).to(at::kFloat8_e4m3fn);
  const ScaleAndZeroPoint qparams = {at::tensor({2.f, 0.5f}), {}};
  EXPECT_TRUE(dequantize_per_channel(codes, qparams, 0, at::kFloat8_e4m3fn).equal(at::tensor({2.f, 224.f})));
}

TEST(PerChannel, RefusalsNameTheValue) {
  const at::Tensor x = at::ones({2, 3});
  const ScaleAndZeroPoint qparams = {at::ones({2}), at::zeros({2}, at::kLong)};
  EXPECT_EQ(error_text([&] { quantize_per_channel(x, qparams, 2, kInt8, at::kChar); }),
            "quantize_per_channel: axis 2 of a tensor of shape [2, 3]\n  allowed here: -2 to 1");
  EXPECT_EQ(error_text([&] { quantize_per_channel(x, qparams, 1, kInt8, at::kChar); }),
            "quantize_per_channel: scale has 2 elements, the input has 3 blocks of its block size\n"
            "  allowed here: 3 elements");
  EXPECT_EQ(error_text([&] { fake_quant_per_channel(x.to(at::kHalf), qparams, 0, kInt8); }),
            "fake_quant_per_channel: input is Half\n  allowed here: float32");
}

TEST(PerChannel, FakeQuantGradientIsTheMaskedGradient) {  // Q18
  const at::Tensor x = at::tensor({0.3f, 1000.f}).reshape({2, 1}).requires_grad_(true);
  const ScaleAndZeroPoint qparams = {at::tensor({41.f, 1.f}), at::zeros({2}, at::kInt)};
  (fake_quant_per_channel(x, qparams, 0, kInt8) * 3).sum().backward();
  EXPECT_TRUE(x.grad().equal(at::tensor({3.f, 0.f}).reshape({2, 1})));
}

TEST(PerChannel, GradientReachesTheScales) {
  const at::Tensor codes = at::tensor({1, 2, 3, 4}, at::kChar).reshape({2, 2});
  const at::Tensor scale = at::ones({2}).requires_grad_(true);
  dequantize_per_channel(codes, {scale, at::ones({2}, at::kLong)}, 0, at::kChar).sum().backward();
  EXPECT_TRUE(scale.grad().equal(at::tensor({1.f, 5.f})));
}

TEST(PerToken, QuantizesAndBack) {
  const at::Tensor x = at::tensor({-1.f, 254.f, 12.7f, 0.f}).reshape({2, 2});
  const ScaleAndZeroPoint qparams = choose_qparams_per_token_asymmetric(x);
  EXPECT_EQ(qparams.scale.scalar_type(), at::kDouble);
  EXPECT_EQ(qparams.scale.sizes(), at::IntArrayRef({2, 1}));
  EXPECT_EQ(qparams.scale[0].item<double>(), 1);
  EXPECT_EQ(qparams.zero_point[0].item<int64_t>(), -127);
  const at::Tensor codes = quantize_per_token(x, qparams, kInt8, at::kChar);
  EXPECT_TRUE(codes[0].equal(at::tensor({-128, 127}, at::kChar)));
  EXPECT_TRUE(dequantize_per_token(codes, qparams, at::kFloat)[0].equal(x[0]));
  const ScaleAndZeroPoint symmetric = choose_qparams_per_token(x, at::kChar);
  EXPECT_EQ(symmetric.scale[0].item<float>(), 254.f / 127);
  EXPECT_EQ(choose_qparams_per_token(x.to(at::kHalf), at::kChar).scale.scalar_type(), at::kFloat);
}

TEST(PerToken, RefusalsNameTheValue) {
  EXPECT_EQ(error_text([&] { choose_qparams_per_token(at::ones({2}), at::kByte); }),
            "choose_qparams_per_token: dtype Byte\n  allowed here: int8");
  EXPECT_EQ(error_text([&] { choose_qparams_per_token_asymmetric(at::ones({2, 0})); }),
            "choose_qparams_per_token_asymmetric: a tensor of shape [2, 0] has no tokens\n"
            "  allowed here: rank 1 and more, a last axis of at least one element");
}

TEST(PerChannelGroup, GroupsAndWholeRows) {
  const at::Tensor x = at::randn({2, 8});
  const ScaleAndZeroPoint groups = {at::rand({2, 2}) + 0.1, at::zeros({2, 2}, at::kInt)};
  const at::Tensor codes = quantize_per_channel_group(x, groups, {-8, 7}, at::kChar, 4);
  EXPECT_TRUE(codes.equal((x / groups.scale.repeat_interleave(4, 1)).round().clamp(-8, 7).to(at::kChar)));
  const ScaleAndZeroPoint rows = {at::ones({2, 1}), at::zeros({2, 1})};
  EXPECT_TRUE(quantize_per_channel_group(x, rows, {-8, 7}, at::kChar, 100).equal(x.round().to(at::kChar)));
  const ScaleAndZeroPoint no_zero_point = {groups.scale, {}};
  EXPECT_TRUE(dequantize_per_channel_group(codes, no_zero_point, 4, at::kFloat)
                  .equal(codes * groups.scale.repeat_interleave(4, 1)));
}

TEST(PerChannelGroup, RefusalsNameTheValue) {
  const ScaleAndZeroPoint qparams = {at::ones({2, 2}), at::zeros({2, 2})};
  EXPECT_EQ(error_text([&] { quantize_per_channel_group(at::ones({2, 8}), qparams, {-8, 7}, at::kChar, 3); }),
            "quantize_per_channel_group: group_size 3 of rows of 8 elements\n  allowed here: divisors of 8 above 1");
  EXPECT_NE(error_text([&] { quantize_per_channel_group(at::ones({2, 8}), qparams, {-8, 7}, at::kChar, 1); }), "");
  EXPECT_EQ(error_text([&] { quantize_per_channel_group(at::ones({8}), qparams, {-8, 7}, at::kChar, 4); }),
            "quantize_per_channel_group: a tensor of shape [8]\n  allowed here: rank 2");
  EXPECT_EQ(error_text([&] { quantize_per_channel_group(at::full({2, 8}, NAN), qparams, {-8, 7}, at::kChar, 4); }),
            "quantize_per_channel_group: the input holds NaN\n  allowed here: numbers and infinities");
}

TEST(ChooseQParams, IsTheObserversRule) {
  const ScaleAndZeroPoint affine = choose_qparams(at::tensor({-1.f, 3.f}), {0, 255}, 1e-7, at::kByte, false);
  EXPECT_EQ(affine.scale.item<double>(), static_cast<double>(4 / 255.f));
  EXPECT_EQ(affine.zero_point.item<int64_t>(), 64);
  EXPECT_EQ(affine.scale.sizes(), at::IntArrayRef({1}));
  const ScaleAndZeroPoint symmetric = choose_qparams(at::tensor({-1.f, 3.f}), {0, 255}, 1e-7, at::kByte, true);
  EXPECT_EQ(symmetric.zero_point.item<int64_t>(), 128);
  const ScaleAndZeroPoint nan = choose_qparams(at::tensor({-1.f, NAN}), {0, 255}, 1e-7, at::kByte, false);
  EXPECT_TRUE(std::isnan(nan.scale.item<double>()));
  EXPECT_EQ(nan.zero_point.item<int64_t>(), 0);
}

TEST(ChooseQParams, RefusalsNameTheValue) {
  EXPECT_EQ(error_text([&] { choose_qparams(at::ones({2}), {5, 10}, 1e-7, at::kByte, false); }),
            "choose_qparams: quant_min 5 and quant_max 10\n"
            "  allowed here: a range that contains 0, quant_min < quant_max");
  EXPECT_EQ(error_text([&] { choose_qparams(at::empty({0}), {0, 255}, 1e-7, at::kByte, false); }),
            "choose_qparams: the input has no elements\n  allowed here: at least one");
}

TEST(EmbeddingByte, DequantizesTheRowsAskedFor) {
  const at::Tensor table = at::arange(8, at::kChar).reshape({4, 2});
  const ScaleAndZeroPoint qparams = {at::tensor({1.f, 2.f, 3.f, 4.f}), at::ones({4})};
  const at::Tensor rows = embedding_byte(table, qparams, at::tensor({3, 0}, at::kLong), at::kFloat);
  EXPECT_TRUE(rows.equal(at::tensor({20.f, 24.f, -1.f, 0.f}).reshape({2, 2})));
  EXPECT_EQ(error_text([&] { embedding_byte(table, {at::ones({3}), {}}, at::tensor({0}, at::kLong), at::kFloat); }),
            "embedding_byte: weight of shape [4, 2] with weight_scales of shape [3]\n"
            "  allowed here: [rows, cols] with [rows] or [rows, groups]");
}

}  // namespace
}  // namespace torquant::decomposed
