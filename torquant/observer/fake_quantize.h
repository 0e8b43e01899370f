#pragma once

#include <cstdint>
#include <string>

#include "torquant/core/dtype.h"
#include "torquant/core/qscheme.h"
#include "torquant/observer/observer.h"
#include "torquant/observer/observer_spec.h"

namespace torquant {

// What quantization will make of a value, while training: observe() records the value with the observer inside and
// returns it quantized and dequantized, with straight-through gradients (docs/semantics.md, O11).
// PyTorch's FixedQParamsFakeQuantize is a FakeQuantize over a FixedQParamsObserver.
class FakeQuantize : public Observer {
 public:
  FakeQuantize(ObserverPtr observer, const ObserverSpec& spec, const ObserverOptions& options);

  at::Tensor observe(const at::Tensor& x) override;
  TensorQParams calculate_qparams() const override { return observer_->calculate_qparams(); }
  bool observed() const override { return observer_->observed(); }
  // fake_quant_enabled, observer_enabled, scale, zero_point; the observer's, after "activation_post_process.".
  State state() const override;
  void load_state(const State& state) override;
  void merge(const Observer& other) override;
  int64_t nonfinite_count() const override { return observer_->nonfinite_count(); }
  std::string type_name() const override { return "FakeQuantize"; }

  virtual void enable_observer(bool enabled = true) { observer_enabled_ = enabled; }
  void disable_observer() { enable_observer(false); }
  void enable_fake_quant(bool enabled = true) { fake_quant_enabled_ = enabled; }
  void disable_fake_quant() { enable_fake_quant(false); }
  bool observer_enabled() const { return observer_enabled_; }
  bool fake_quant_enabled() const { return fake_quant_enabled_; }

  const Observer& observer() const { return *observer_; }
  // In use: float32 and int32 (float32 where it is a float), [1] or [channels].
  const at::Tensor& scale() const { return scale_; }
  const at::Tensor& zero_point() const { return zero_point_; }

 protected:
  virtual void update_qparams();  // after each observation
  int64_t axis_in(const at::Tensor& x) const;

  ObserverPtr observer_;
  QuantRange range_;
  QScheme qscheme_;
  int64_t ch_axis_;
  bool observer_enabled_ = true;
  bool fake_quant_enabled_ = true;
  at::Tensor scale_;
  at::Tensor zero_point_;
};

// PyTorch's fused observer and fake quantizer, over a moving-average observer. It trains on the grid of FBGEMM's rule
// (O2), while convert uses the observers' (O1): for parity with PyTorch; prefer FakeQuantize.
class FusedMovingAvgObsFakeQuantize : public FakeQuantize {
 public:
  FusedMovingAvgObsFakeQuantize(ObserverPtr observer, const ObserverSpec& spec, const ObserverOptions& options);

  std::string type_name() const override { return "FusedMovingAvgObsFakeQuantize"; }

 protected:
  void update_qparams() override;
};

}  // namespace torquant
