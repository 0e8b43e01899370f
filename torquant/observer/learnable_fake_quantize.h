#pragma once

#include <string>
#include <vector>

#include "torquant/observer/fake_quantize.h"

namespace torquant {

// A fake quantizer whose scale and zero point can be trained (docs/semantics.md, O12): they start where the observer
// puts them and follow it until enable_range_learning(). Gradients as in "Learned Step Size Quantization",
// https://arxiv.org/abs/1902.08153.
class LearnableFakeQuantize : public FakeQuantize {
 public:
  LearnableFakeQuantize(ObserverPtr observer, const ObserverSpec& spec, const ObserverOptions& options);

  at::Tensor observe(const at::Tensor& x) override;
  TensorQParams calculate_qparams() const override;  // as trained: the zero point rounded, both kept in their ranges
  bool observed() const override { return initialized_; }
  State state() const override;  // FakeQuantize's, learning_enabled and eps
  void load_state(const State& state) override;
  void merge(const Observer& other) override;
  std::string type_name() const override { return "LearnableFakeQuantize"; }

  void enable_range_learning(bool enabled = true);  // and stops the observer
  void disable_range_learning() { enable_range_learning(false); }
  void enable_observer(bool enabled = true) override;  // and stops learning

  // Scale and zero point, for an optimizer: leaves that stay the same objects. Throws Error before the first batch.
  std::vector<at::Tensor> parameters() const;

 private:
  void set_qparams(const TensorQParams& qparams);

  bool use_grad_scaling_;
  bool learning_enabled_ = false;
  bool initialized_ = false;
};

}  // namespace torquant
