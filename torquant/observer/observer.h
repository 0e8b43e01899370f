#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace torquant {

// A scale and a zero point as tensors: [1] per tensor, [channels] per channel, one element a block at other
// granularities. Undefined zero_point: the scheme has none.
struct TensorQParams {
  at::Tensor scale;
  at::Tensor zero_point;
};

// Sees the values of one place of a program and says by which scale and zero point to quantize them.
//
// To add an observer, derive from it (or from one below it) and name it in a CustomObserverSpec (observer_spec.h).
// Memory is constant in the number of batches. Non-finite values are counted and left out; a batch without elements
// changes nothing (docs/semantics.md, O3).
class Observer {
 public:
  using State = std::map<std::string, at::Tensor>;

  virtual ~Observer() = default;

  // Records x and returns it; a fake quantizer (fake_quantize.h) returns what quantization makes of x. Autograd goes
  // through the value returned and never into what is recorded.
  virtual at::Tensor observe(const at::Tensor& x) = 0;

  // Throws Error where nothing was observed, or the observer has no qparams to give.
  virtual TensorQParams calculate_qparams() const = 0;

  virtual bool observed() const = 0;  // whether calculate_qparams has what it needs

  // What was recorded, by the names of PyTorch's state_dict; load_state continues from there. The names are exactly
  // those of state(), except for nonfinite_count, which is left out while it is 0.
  virtual State state() const;
  virtual void load_state(const State& state);

  // Adds what `other`, an observer of the same type and settings, recorded on other batches.
  // Throws Error where the definition depends on the order of batches (moving averages).
  virtual void merge(const Observer& other);

  virtual std::string type_name() const = 0;  // "MinMaxObserver", as in PyTorch
  std::string to_string() const;              // "MinMaxObserver(min_val=-1, max_val=2.5)": the small tensors of state()

  virtual int64_t nonfinite_count() const { return nonfinite_count_; }

 protected:
  // Checks that x is a dense floating-point tensor; throws Error naming the observer.
  void check_input(const at::Tensor& x) const;
  void count_nonfinite(int64_t count) { nonfinite_count_ += count; }
  [[noreturn]] void refuse_qparams(const std::string& reason) const;
  // `other` as the type of this observer; throws Error naming both where it has another.
  template <class Derived>
  const Derived& same_type(const Observer& other) const;

 private:
  [[noreturn]] void refuse_merge(const Observer& other) const;

  int64_t nonfinite_count_ = 0;
};

using ObserverPtr = std::shared_ptr<Observer>;

template <class Derived>
const Derived& Observer::same_type(const Observer& other) const {
  const auto* derived = dynamic_cast<const Derived*>(&other);
  if (derived == nullptr || derived->type_name() != type_name()) refuse_merge(other);
  return *derived;
}

// What a saved state holds under that name. Throw Error naming observer and tensor where it is missing or otherwise.
const at::Tensor& state_tensor(const Observer::State& state, const std::string& name, const std::string& observer);
at::Tensor state_floats(const Observer::State& state, const std::string& name, const std::string& observer);  // a copy
double state_number(const Observer::State& state, const std::string& name, const std::string& observer);      // finite

}  // namespace torquant
