#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace torquant::cli {

// Quality of a classifier over a data set.
class ClassificationMetrics {
 public:
  // logits: floats [N, classes]; labels: int64 [N]. Throws Error where they do not fit together.
  void add(const at::Tensor& logits, const at::Tensor& labels);

  int64_t samples() const { return samples_; }
  int64_t classes() const { return classes_; }
  double top1() const { return share(top1_); }  // 0 to 1
  double top5() const { return share(top5_); }
  double loss() const { return loss_ / static_cast<double>(samples_); }  // mean cross entropy, nats

 private:
  double share(int64_t hits) const { return static_cast<double>(hits) / static_cast<double>(samples_); }

  int64_t samples_ = 0;
  int64_t classes_ = 0;
  int64_t top1_ = 0;
  int64_t top5_ = 0;
  double loss_ = 0;
};

}  // namespace torquant::cli
