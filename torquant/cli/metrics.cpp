#include "torquant/cli/metrics.h"

#include <ATen/ops/log_softmax.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "torquant/core/error.h"

namespace torquant::cli {

void ClassificationMetrics::add(const at::Tensor& logits, const at::Tensor& labels) {
  if (!at::isFloatingType(logits.scalar_type()) || logits.dim() != 2 || logits.size(0) != labels.numel()) {
    throw Error({.where = "the program's first output",
                 .what = fmt::format("is {} [{}], with {} labels", c10::toString(logits.scalar_type()),
                                     fmt::join(logits.sizes(), ", "), labels.numel()),
                 .allowed = fmt::format("floats [{}, classes], to compare classes with labels", labels.numel())});
  }
  classes_ = logits.size(1);
  const at::Tensor outside = labels.ge(classes_);
  if (outside.any().item<bool>()) {
    throw Error({.where = "labels",
                 .what = fmt::format("class {}", labels.max().item<int64_t>()),
                 .allowed = fmt::format("0 to {}: the program has {} classes", classes_ - 1, classes_)});
  }
  const at::Tensor index = labels.reshape({-1, 1});
  const at::Tensor scores = logits.to(at::kDouble);
  const at::Tensor truth = scores.gather(1, index);
  // A class's rank: those above it, and of equals those with a lower number (as argmax breaks ties).
  const at::Tensor equal_before = scores.eq(truth).cumsum(1).gather(1, index).squeeze(1).sub(1);
  const at::Tensor rank = scores.gt(truth).sum(1).add(equal_before);
  const at::Tensor comparable = truth.squeeze(1).eq(truth.squeeze(1));  // false for NaN, which is never right
  top1_ += rank.lt(1).logical_and(comparable).sum().item<int64_t>();
  top5_ += rank.lt(5).logical_and(comparable).sum().item<int64_t>();
  loss_ -= at::log_softmax(scores, 1).gather(1, index).sum().item<double>();
  samples_ += labels.numel();
}

}  // namespace torquant::cli
