#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "torquant/observer/uniform_observer.h"

namespace torquant {

// A histogram of all batches, and from it the range that quantizes with the least squared error (docs/semantics.md,
// O7 to O10). One pass over the data finds its range and non-finite values, a second one counts.
class HistogramObserver : public UniformObserver {
 public:
  HistogramObserver(int64_t bins, const ObserverSpec& spec, const ObserverOptions& options);

  at::Tensor observe(const at::Tensor& x) override;
  TensorQParams calculate_qparams() const override;
  bool observed() const override;
  State state() const override;  // eps, min_val, max_val, histogram [bins] float32
  void load_state(const State& state) override;
  void merge(const Observer& other) override;  // O14: range and mass are those of one pass, bins nearly so
  std::string type_name() const override { return "HistogramObserver"; }

  const at::Tensor& histogram() const { return histogram_; }

 private:
  struct BinRange {
    int64_t start;
    int64_t end;
  };
  BinRange search() const;
  // The mass of `histogram`, whose bins go from min to max, laid on the union of the ranges (O8).
  void add(const at::Tensor& histogram, float min, float max);
  void check_range(float left, float right) const;

  int64_t bins_;
  int64_t codes_;         // quantization steps that the search assumes
  at::Tensor histogram_;  // mass between min_val and max_val
};

}  // namespace torquant
