#pragma once

#include <ATen/core/Tensor.h>

#include "torquant/core/observer_qparams.h"
#include "torquant/observer/observer.h"
#include "torquant/observer/observer_spec.h"

namespace torquant {

// What the observers of a range have in common: settings and the rule from a range to a scale (docs/semantics.md, O1).
class UniformObserver : public Observer {
 public:
  const ObserverQParamsRule& rule() const { return rule_; }
  int64_t ch_axis() const { return ch_axis_; }
  const at::Tensor& min_val() const { return min_val_; }  // float32: [], or [channels]
  const at::Tensor& max_val() const { return max_val_; }

  State state() const override;  // eps, min_val, max_val
  void load_state(const State& state) override;

 protected:
  enum class Channels : bool { kNo, kYes };
  // Throws Error where the spec and options are not for an observer named `name`, with or without channels.
  UniformObserver(const std::string& name, const ObserverSpec& spec, const ObserverOptions& options, Channels channels);

  TensorQParams qparams_of(const at::Tensor& min, const at::Tensor& max) const;

  at::Tensor min_val_;
  at::Tensor max_val_;

 private:
  ObserverQParamsRule rule_;
  int64_t ch_axis_;
};

}  // namespace torquant
