#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "torquant/core/choose_qparams.h"

namespace torquant {

// What a layer reads, summed up: by group of output channels (one for a linear layer or plain convolution) the moments
// of the K numbers that go into one output. `x` is what the quantized program computes, `f` what the float one does.
class LayerMoments {
 public:
  // x, f: [groups, K, positions], float32.
  void add(const at::Tensor& x, const at::Tensor& f);

  bool empty() const { return count_ == 0; }
  bool is_finite() const;
  at::Tensor mean_x() const;  // [groups, K], float64, like all that follow
  at::Tensor mean_f() const;
  at::Tensor covariance() const;        // [groups, K, K]: of x
  at::Tensor cross_covariance() const;  // [groups, K, K]: of f (rows) and x

 private:
  at::Tensor near_x_, near_f_;  // middles of the first batch: what float32 products lose is then small beside variances
  at::Tensor xx_, fx_, x_, f_;  // sums of what is above them
  int64_t count_ = 0;
};

// Codes of a layer, and what to add to its bias.
struct RoundedLayer {
  at::Tensor codes;       // [out, K], int8
  at::Tensor bias_shift;  // [out], float32
};

// Chooses the codes of a weight so that the layer's output, on data with these moments, is as near as possible to the
// float layer's (docs/semantics.md, W1 to W3): the weight is fitted to the quantized program's activations, then
// rounded column by column, each column's error made up for by the columns to come (GPTQ, Frantar et al. 2022), and the
// mean that is left goes into the bias.
//   weight [out, K], float32    scales [out], float32; codes lie in `range`
// `poll`, where there is one, is called between steps of at most about a second; it may throw.
RoundedLayer round_with_error_feedback(const at::Tensor& weight, const at::Tensor& scales, const LayerMoments& moments,
                                       QuantRange range, const std::function<void()>& poll = nullptr);

}  // namespace torquant
