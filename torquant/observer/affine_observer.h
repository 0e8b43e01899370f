#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "torquant/core/choose_qparams.h"
#include "torquant/observer/observer.h"
#include "torquant/observer/observer_spec.h"

namespace torquant {

// Observers at any granularity, by torchao's choose_qparams rules instead of O1 (docs/semantics.md, O13). What each
// block saw is kept in the dtype of the data. All batches must have as many blocks as the first one.
class AffineQuantizedObserver : public Observer {
 public:
  AffineQuantizedObserver(std::string type_name, const AffineSpec& affine, const ObserverOptions& options);

  at::Tensor observe(const at::Tensor& x) override;
  TensorQParams calculate_qparams() const override;
  bool observed() const override { return min_val_.defined(); }
  State state() const override;  // min_val, max_val, once observed
  void load_state(const State& state) override;
  std::string type_name() const override { return type_name_; }

  const AffineSpec& affine() const { return affine_; }
  const std::vector<int64_t>& block_size() const { return block_size_; }  // of the newest batch

 protected:
  virtual void update(const at::Tensor& x, const at::Tensor& min, const at::Tensor& max) = 0;
  void check_blocks(const at::Tensor& min) const;
  TensorQParams qparams_of(const at::Tensor& min, const at::Tensor& max) const;

  at::Tensor min_val_;  // one element a block
  at::Tensor max_val_;

  AffineSpec affine_;
  DType dtype_;
  QuantRange range_;

 private:
  std::string type_name_;
  std::vector<int64_t> block_size_;
};

class AffineQuantizedMinMaxObserver : public AffineQuantizedObserver {
 public:
  AffineQuantizedMinMaxObserver(const AffineSpec& affine, const ObserverOptions& options)
      : AffineQuantizedObserver("AffineQuantizedMinMaxObserver", affine, options) {}
  void merge(const Observer& other) override;

 protected:
  void update(const at::Tensor& x, const at::Tensor& min, const at::Tensor& max) override;
};

class AffineQuantizedMovingAverageMinMaxObserver : public AffineQuantizedObserver {
 public:
  AffineQuantizedMovingAverageMinMaxObserver(double averaging_constant, const AffineSpec& affine,
                                             const ObserverOptions& options);
  void merge(const Observer& other) override;  // always an Error

 protected:
  void update(const at::Tensor& x, const at::Tensor& min, const at::Tensor& max) override;

 private:
  double averaging_constant_;
};

// The symmetric range, of `steps` tried from absmax / steps to absmax, that quantizes the newest batch with the least
// mean squared error in each block (https://arxiv.org/abs/2209.13325); with run_once, the first batch.
class AffineQuantizedMSEObserver : public AffineQuantizedObserver {
 public:
  AffineQuantizedMSEObserver(const AffineMSESpec& mse, const ObserverOptions& options);
  void merge(const Observer& other) override;  // always an Error

 protected:
  void update(const at::Tensor& x, const at::Tensor& min, const at::Tensor& max) override;

 private:
  at::Tensor error_of(const at::Tensor& x, const at::Tensor& reach) const;

  int64_t steps_;
  bool run_once_;
};

// A scale and a zero point for each block that the user gives: 1 and 0 until set_qparams.
class AffineQuantizedFixedQParamObserver : public Observer {
 public:
  AffineQuantizedFixedQParamObserver(const AffineSpec& affine, const ObserverOptions& options);

  at::Tensor observe(const at::Tensor& x) override { return x; }
  TensorQParams calculate_qparams() const override { return {scale_.clone(), zero_point_.clone()}; }
  bool observed() const override { return true; }
  State state() const override;  // scale, zero_point
  void load_state(const State& state) override;
  std::string type_name() const override { return "AffineQuantizedFixedQParamObserver"; }

  // Throws Error where a scale is not finite and above 0. An undefined zero point is 0.
  void set_qparams(const at::Tensor& scale, const at::Tensor& zero_point = {});

 private:
  AffineSpec affine_;
  at::Tensor scale_;
  at::Tensor zero_point_;
};

}  // namespace torquant
