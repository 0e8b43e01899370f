#pragma once

#include <string>
#include <vector>

#include "torquant/core/dtype.h"
#include "torquant/observer/observer.h"
#include "torquant/observer/observer_spec.h"

namespace torquant {

// Observers that let values pass: they carry what is known without data.

// A scale and a zero point that do not depend on the data: sigmoid, tanh, softmax.
class FixedQParamsObserver : public Observer {
 public:
  FixedQParamsObserver(const FixedQParamsSpec& qparams, const ObserverSpec& spec, const ObserverOptions& options);

  at::Tensor observe(const at::Tensor& x) override { return x; }
  TensorQParams calculate_qparams() const override { return {scale_.clone(), zero_point_.clone()}; }
  bool observed() const override { return true; }
  State state() const override;  // scale [1], zero_point [1]
  void load_state(const State& state) override;
  void merge(const Observer& other) override { same_type<FixedQParamsObserver>(other); }
  std::string type_name() const override { return "FixedQParamsObserver"; }

 private:
  void set(double scale, double zero_point);  // throws Error for what is no grid of these codes

  QuantRange range_;
  at::Tensor scale_;
  at::Tensor zero_point_;
};

// Marks a place without looking at it; calculate_qparams is an Error that says why.
//   PlaceholderObserver   a dtype, or a scale chosen when the program runs (is_dynamic)
//   NoopObserver          a dtype, such as float16
//   ReuseInputObserver    the observer of the operator's input
class PassiveObserver : public Observer {
 public:
  PassiveObserver(std::string type_name, std::string why_no_qparams)
      : type_name_(std::move(type_name)), why_no_qparams_(std::move(why_no_qparams)) {}

  at::Tensor observe(const at::Tensor& x) override { return x; }
  TensorQParams calculate_qparams() const override { refuse_qparams(why_no_qparams_); }
  bool observed() const override { return false; }
  std::string type_name() const override { return type_name_; }

 private:
  std::string type_name_;
  std::string why_no_qparams_;
};

// Keeps a copy of each value, for debugging: the one observer whose memory grows with the data.
class RecordingObserver : public PassiveObserver {
 public:
  RecordingObserver() : PassiveObserver("RecordingObserver", "it records values for debugging") {}

  at::Tensor observe(const at::Tensor& x) override;
  const std::vector<at::Tensor>& values() const { return values_; }

 private:
  std::vector<at::Tensor> values_;
};

}  // namespace torquant
