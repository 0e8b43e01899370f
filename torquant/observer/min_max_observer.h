#pragma once

#include <string>

#include "torquant/observer/uniform_observer.h"

namespace torquant {

// The least and greatest value of all batches (docs/semantics.md, O4).
class MinMaxObserver : public UniformObserver {
 public:
  MinMaxObserver(const ObserverSpec& spec, const ObserverOptions& options)
      : MinMaxObserver("MinMaxObserver", spec, options) {}

  at::Tensor observe(const at::Tensor& x) override;
  TensorQParams calculate_qparams() const override;
  bool observed() const override;
  void merge(const Observer& other) override;
  std::string type_name() const override { return "MinMaxObserver"; }

 protected:
  MinMaxObserver(const std::string& name, const ObserverSpec& spec, const ObserverOptions& options)
      : UniformObserver(name, spec, options, Channels::kNo) {}

  virtual void update(const at::Tensor& min, const at::Tensor& max);  // float32 []
};

// Their moving average: value + c * (batch's value - value), from the first batch's on (O5).
class MovingAverageMinMaxObserver : public MinMaxObserver {
 public:
  MovingAverageMinMaxObserver(double averaging_constant, const ObserverSpec& spec, const ObserverOptions& options);

  void merge(const Observer& other) override;
  std::string type_name() const override { return "MovingAverageMinMaxObserver"; }
  double averaging_constant() const { return averaging_constant_; }

 protected:
  void update(const at::Tensor& min, const at::Tensor& max) override;

 private:
  double averaging_constant_;
};

// As MinMaxObserver, for each index of an axis (O6).
class PerChannelMinMaxObserver : public UniformObserver {
 public:
  PerChannelMinMaxObserver(const ObserverSpec& spec, const ObserverOptions& options)
      : PerChannelMinMaxObserver("PerChannelMinMaxObserver", spec, options) {}

  at::Tensor observe(const at::Tensor& x) override;
  TensorQParams calculate_qparams() const override;
  bool observed() const override { return min_val_.numel() > 0; }
  void merge(const Observer& other) override;
  std::string type_name() const override { return "PerChannelMinMaxObserver"; }

 protected:
  PerChannelMinMaxObserver(const std::string& name, const ObserverSpec& spec, const ObserverOptions& options);

  // float32 [channels], as many as before; a channel without finite values has min = inf, max = -inf.
  virtual void update(const at::Tensor& min, const at::Tensor& max);

 private:
  void check_channels(int64_t channels) const;
};

class MovingAveragePerChannelMinMaxObserver : public PerChannelMinMaxObserver {
 public:
  MovingAveragePerChannelMinMaxObserver(double averaging_constant, const ObserverSpec& spec,
                                        const ObserverOptions& options);

  void merge(const Observer& other) override;
  std::string type_name() const override { return "MovingAveragePerChannelMinMaxObserver"; }
  double averaging_constant() const { return averaging_constant_; }

 protected:
  void update(const at::Tensor& min, const at::Tensor& max) override;

 private:
  double averaging_constant_;
};

}  // namespace torquant
