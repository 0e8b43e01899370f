#include "torquant/algorithm/error_feedback.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace torquant {
namespace {

constexpr QuantRange kRange{-127, 127};

class ErrorFeedback : public testing::Test {
 protected:
  ErrorFeedback() { at::manual_seed(5); }

  // Columns that move together, with a mean: what neighbouring pixels are to a convolution.
  static at::Tensor data(int64_t groups, int64_t columns) {
    return at::randn({groups, 1, 500}) + 0.1 * at::randn({groups, columns, 500}) + 0.7;
  }
  // Mean squared error of a layer's output.
  static double error(const at::Tensor& weight, const at::Tensor& f, const at::Tensor& other, const at::Tensor& x,
                      const at::Tensor& shift) {
    const at::Tensor difference = weight.matmul(f) - other.matmul(x) - shift;
    return difference.square().mean().item<double>();
  }
  static at::Tensor nearest(const at::Tensor& weight, const at::Tensor& scales) {
    return (weight / scales.unsqueeze(1)).round().clamp(kRange.min, kRange.max);
  }
};

TEST_F(ErrorFeedback, ErrsLessThanRoundingToNearest) {
  const at::Tensor x = data(1, 200);  // more than one block of columns
  const at::Tensor weight = at::randn({6, 200});
  const at::Tensor scales = weight.abs().amax(1) / 15;  // coarse, so that there is something to gain
  LayerMoments moments;
  moments.add(x.slice(2, 0, 100), x.slice(2, 0, 100));
  moments.add(x.slice(2, 100), x.slice(2, 100));
  const RoundedLayer rounded = round_with_error_feedback(weight, scales, moments, {-15, 15});
  EXPECT_LE(rounded.codes.abs().max().item<int64_t>(), 15);
  const at::Tensor ours = rounded.codes * scales.unsqueeze(1);
  const double before = error(weight, x[0], nearest(weight, scales) * scales.unsqueeze(1), x[0], at::zeros({1}));
  const double after = error(weight, x[0], ours, x[0], rounded.bias_shift.unsqueeze(1));
  EXPECT_LT(after, before / 10);
}

TEST_F(ErrorFeedback, FitsTheWeightToWhatTheQuantizedProgramComputes) {
  const at::Tensor f = data(1, 40);
  const at::Tensor x = 0.9 * f + 0.02 * at::randn(f.sizes()) + 0.3;  // weaker than it should be, and shifted
  const at::Tensor weight = at::randn({6, 40});
  const at::Tensor scales = weight.abs().amax(1) / 127;
  LayerMoments moments;
  moments.add(x, f);
  const RoundedLayer rounded = round_with_error_feedback(weight, scales, moments, kRange);
  const at::Tensor ours = rounded.codes * scales.unsqueeze(1);
  const double before = error(weight, f[0], weight, x[0], at::zeros({1}));
  EXPECT_LT(error(weight, f[0], ours, x[0], rounded.bias_shift.unsqueeze(1)), before / 10);
  const at::Tensor left = weight.matmul(f[0]) - ours.matmul(x[0]) - rounded.bias_shift.unsqueeze(1);
  EXPECT_LT(left.mean(1).abs().max().item<double>(), 1e-4) << "no mean error is left";
}

TEST_F(ErrorFeedback, WhatLiesOnTheGridStays) {
  const at::Tensor x = data(1, 20);
  const at::Tensor codes = (at::rand({4, 20}) * 200 - 100).round();
  const at::Tensor scales = at::linspace(0.01, 0.04, 4);
  LayerMoments moments;
  moments.add(x, x);
  const RoundedLayer rounded = round_with_error_feedback(codes * scales.unsqueeze(1), scales, moments, kRange);
  EXPECT_TRUE(at::equal(rounded.codes.to(at::kFloat), codes));
  EXPECT_LT(rounded.bias_shift.abs().max().item<double>(), 1e-5);
}

TEST_F(ErrorFeedback, EachGroupByItself) {
  const at::Tensor x = data(3, 9);
  const at::Tensor weight = at::randn({30, 9}), scales = weight.abs().amax(1) / 15;
  LayerMoments all;
  all.add(x, x);
  const RoundedLayer rounded = round_with_error_feedback(weight, scales, all, kRange);
  double before = 0, after = 0;
  for (int64_t group = 0; group < 3; ++group) {
    const auto part = [&](const at::Tensor& rows) { return rows.slice(0, 10 * group, 10 * group + 10); };
    const at::Tensor w = part(weight), s = part(scales), shift = part(rounded.bias_shift).unsqueeze(1);
    before += error(w, x[group], nearest(w, s) * s.unsqueeze(1), x[group], at::zeros({1}));
    after += error(w, x[group], part(rounded.codes) * s.unsqueeze(1), x[group], shift);
  }
  EXPECT_LT(after, before / 4);
}

TEST_F(ErrorFeedback, InputsThatAreAlwaysTheSameDoNoHarm) {
  for (const double value : {0.3, 1e6}) {
    const at::Tensor x = at::zeros({1, 20, 50}) + value;
    const at::Tensor weight = at::randn({3, 20}), scales = weight.abs().amax(1) / 127;
    LayerMoments moments;
    moments.add(x, x);
    moments.add(x, x);
    const RoundedLayer rounded = round_with_error_feedback(weight, scales, moments, kRange);
    EXPECT_TRUE(at::equal(rounded.codes.to(at::kFloat), nearest(weight, scales)));
    const at::Tensor before = weight.matmul(x[0]);
    const at::Tensor after = (rounded.codes * scales.unsqueeze(1)).matmul(x[0]) + rounded.bias_shift.unsqueeze(1);
    EXPECT_LT((after - before).abs().max().item<double>(), 1e-5 * value * 20);
  }
}

TEST_F(ErrorFeedback, InputsThatAreAlwaysZeroDoNoHarm) {
  at::Tensor x = data(1, 8);
  x.slice(1, 2, 5).zero_();
  const at::Tensor weight = at::randn({3, 8});
  LayerMoments moments;
  moments.add(x, x);
  const RoundedLayer rounded = round_with_error_feedback(weight, weight.abs().amax(1) / 127, moments, kRange);
  EXPECT_TRUE(at::isfinite(rounded.bias_shift).all().item<bool>());
  LayerMoments zeros;
  zeros.add(at::zeros({1, 8, 10}), at::zeros({1, 8, 10}));
  const at::Tensor scales = weight.abs().amax(1) / 127;
  EXPECT_TRUE(
      at::equal(round_with_error_feedback(weight, scales, zeros, kRange).codes.to(at::kFloat), nearest(weight, scales)))
      << "without data the nearest codes";
}

}  // namespace
}  // namespace torquant
