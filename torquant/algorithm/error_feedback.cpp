#include "torquant/algorithm/error_feedback.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cholesky_inverse.h>
#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/diag_embed.h>
#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/round.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

namespace torquant {
namespace {

// In units of the mean variance of what the layer reads.
constexpr double kFitPenalty = 0.3;  // how much the fitted weight is drawn to the weight itself
constexpr double kDamping = 0.01;    // keeps the covariance invertible
constexpr double kLeast = 1e-12;

constexpr int64_t kBlock = 128;  // columns whose errors are passed on at once to those behind

// The mean of the diagonals, [groups, 1].
at::Tensor mean_variance(const at::Tensor& covariance) {
  return covariance.diagonal(0, 1, 2).mean(1, /*keepdim=*/true).clamp_min(kLeast);
}

at::Tensor plus_diagonal(const at::Tensor& covariance, const at::Tensor& values) {
  return covariance + at::diag_embed(values.expand({covariance.size(0), covariance.size(1)}));
}

// W2: argmin of |V x - W f|² + λ |V - W|². weight: [groups, out, K].
at::Tensor fit(const at::Tensor& weight, const at::Tensor& covariance, const at::Tensor& cross) {
  const at::Tensor penalty = kFitPenalty * mean_variance(covariance);
  const at::Tensor target = at::bmm(weight, cross) + weight * penalty.unsqueeze(1);
  const at::Tensor lower = at::linalg_cholesky(plus_diagonal(covariance, penalty));
  return at::cholesky_solve(target.mT(), lower).mT();  // the covariance is its own transpose
}

// W3. weight: [groups, out, K]; scales: [groups, out, 1]. Gives codes as float64.
at::Tensor round_columns(at::Tensor weight, const at::Tensor& covariance, const at::Tensor& scales, QuantRange range,
                         const std::function<void()>& poll) {
  const at::Tensor damped = plus_diagonal(covariance, kDamping * mean_variance(covariance));
  const at::Tensor lower = at::linalg_cholesky(damped);
  poll();
  const at::Tensor inverse = at::cholesky_inverse(lower);
  poll();
  const at::Tensor upper = at::linalg_cholesky(inverse, /*upper=*/true);
  at::Tensor codes = at::zeros_like(weight);
  const int64_t columns = weight.size(2);
  for (int64_t begin = 0; begin < columns; begin += kBlock) {
    poll();
    const int64_t end = std::min(begin + kBlock, columns);
    at::Tensor block = weight.slice(2, begin, end).clone();
    at::Tensor errors = at::zeros_like(block);
    for (int64_t i = 0; i < end - begin; ++i) {
      const at::Tensor column = block.slice(2, i, i + 1);
      const at::Tensor code = at::clamp(at::round(column / scales), range.min, range.max);
      const at::Tensor row = upper.slice(1, begin + i, begin + i + 1).slice(2, begin + i, end);  // [groups, 1, rest]
      const at::Tensor error = (column - code * scales) / row.slice(2, 0, 1);
      block.slice(2, i).sub_(error * row);
      codes.slice(2, begin + i, begin + i + 1).copy_(code);
      errors.slice(2, i, i + 1).copy_(error);
    }
    if (end < columns) weight.slice(2, end).sub_(at::bmm(errors, upper.slice(1, begin, end).slice(2, end)));
  }
  return codes;
}

// [groups, K, 1]: the mean, and exactly the value of what is always the same.
at::Tensor middle_of(const at::Tensor& x) {
  return at::clamp(x.mean(2, /*keepdim=*/true), x.amin(2, /*keepdim=*/true), x.amax(2, /*keepdim=*/true));
}

}  // namespace

void LayerMoments::add(const at::Tensor& x, const at::Tensor& f) {
  if (empty()) near_x_ = middle_of(x), near_f_ = middle_of(f);
  const at::Tensor dx = x - near_x_, df = f - near_f_, turned = dx.transpose(1, 2);
  const at::Tensor xx = at::bmm(dx, turned).to(at::kDouble), fx = at::bmm(df, turned).to(at::kDouble);
  const at::Tensor sum_x = dx.sum(2, /*keepdim=*/false, at::kDouble), sum_f = df.sum(2, /*keepdim=*/false, at::kDouble);
  if (empty()) {
    xx_ = xx, fx_ = fx, x_ = sum_x, f_ = sum_f;
  } else {
    xx_ += xx, fx_ += fx, x_ += sum_x, f_ += sum_f;
  }
  count_ += x.size(2);
}

bool LayerMoments::is_finite() const { return (xx_.sum() + fx_.sum()).isfinite().item<bool>(); }
at::Tensor LayerMoments::mean_x() const { return near_x_.squeeze(2) + x_ / count_; }
at::Tensor LayerMoments::mean_f() const { return near_f_.squeeze(2) + f_ / count_; }

at::Tensor LayerMoments::covariance() const {
  return xx_ / count_ - at::bmm(x_.unsqueeze(2), x_.unsqueeze(1)) / (count_ * count_);
}
at::Tensor LayerMoments::cross_covariance() const {
  return fx_ / count_ - at::bmm(f_.unsqueeze(2), x_.unsqueeze(1)) / (count_ * count_);
}

RoundedLayer round_with_error_feedback(const at::Tensor& weight, const at::Tensor& scales, const LayerMoments& moments,
                                       QuantRange range, const std::function<void()>& user_poll) {
  const std::function<void()> poll = user_poll ? user_poll : [] {};
  at::Tensor covariance = moments.covariance();
  at::Tensor cross = moments.cross_covariance();
  const int64_t groups = covariance.size(0), out = weight.size(0), columns = weight.size(1);
  const at::Tensor original = weight.to(at::kDouble).view({groups, out / groups, columns});
  const at::Tensor steps = scales.to(at::kDouble).expand({out}).reshape({groups, out / groups, 1});
  // Inputs of great variance first, while all others are there to make up for them.
  const bool sorted = groups == 1;
  at::Tensor order;
  at::Tensor fitted = fit(original, covariance, cross);
  poll();
  if (sorted) {
    order = at::argsort(covariance[0].diagonal(), /*stable=*/true, /*dim=*/0, /*descending=*/true);
    covariance = covariance.index_select(1, order).index_select(2, order);
    fitted = fitted.index_select(2, order);
  }
  at::Tensor codes = round_columns(fitted.clone(), covariance, steps, range, poll);
  if (sorted) codes = codes.index_select(2, at::argsort(order));
  const at::Tensor shift =
      at::bmm(original, moments.mean_f().unsqueeze(2)) - at::bmm(codes * steps, moments.mean_x().unsqueeze(2));
  return {codes.reshape({out, columns}).to(at::kChar), shift.reshape({out}).to(at::kFloat)};
}

}  // namespace torquant
