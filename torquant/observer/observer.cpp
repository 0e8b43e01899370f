#include "torquant/observer/observer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <vector>

#include <ATen/ops/scalar_tensor.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

constexpr int64_t kMostElementsPrinted = 8;

std::string print_tensor(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kCPU, at::kDouble).contiguous();
  if (values.numel() > kMostElementsPrinted) return fmt::format("[{} values]", values.numel());
  const auto* data = values.const_data_ptr<double>();
  if (values.dim() == 0) return fmt::format("{:.6g}", data[0]);
  std::vector<std::string> texts;
  for (int64_t i = 0; i < values.numel(); ++i) texts.push_back(fmt::format("{:.6g}", data[i]));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

}  // namespace

Observer::State Observer::state() const {
  State state;
  if (nonfinite_count_ > 0) state["nonfinite_count"] = at::scalar_tensor(nonfinite_count_, at::kLong);
  return state;
}

void Observer::load_state(const State& state) {
  const double count = state.contains("nonfinite_count") ? state_number(state, "nonfinite_count", type_name()) : 0;
  if (!(count >= 0 && count < 0x1p53)) {
    throw Error(
        {.where = type_name(), .what = fmt::format("the saved nonfinite_count is {}", count), .allowed = "0 to 2^53"});
  }
  nonfinite_count_ = static_cast<int64_t>(count);
}

void Observer::merge(const Observer& other) { nonfinite_count_ += other.nonfinite_count_; }

std::string Observer::to_string() const {
  std::vector<std::string> texts;
  for (const auto& [name, tensor] : state()) texts.push_back(name + "=" + print_tensor(tensor));
  return fmt::format("{}({})", type_name(), fmt::join(texts, ", "));
}

void Observer::check_input(const at::Tensor& x) const {
  if (!x.defined() || x.layout() != at::kStrided || !at::isFloatingType(x.scalar_type()) || x.element_size() == 1) {
    throw Error({.where = type_name(),
                 .what = !x.defined() ? "observed an undefined tensor"
                                      : fmt::format("observed a {} tensor of layout {}", c10::toString(x.scalar_type()),
                                                    x.layout() == at::kStrided ? "strided" : "sparse"),
                 .allowed = "dense tensors of Float, BFloat16, Half or Double"});
  }
}

void Observer::refuse_qparams(const std::string& reason) const {
  throw Error({.where = type_name(), .what = "no scale and zero point: " + reason});
}

void Observer::refuse_merge(const Observer& other) const {
  throw Error({.where = type_name(),
               .what = fmt::format("cannot merge what a {} recorded", other.type_name()),
               .allowed = type_name()});
}

const at::Tensor& state_tensor(const Observer::State& state, const std::string& name, const std::string& observer) {
  const auto found = state.find(name);
  if (found != state.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [present, tensor] : state) names.push_back(present);
  throw Error(
      {.where = observer, .what = fmt::format("the saved state has no {}; it has: {}", name, fmt::join(names, ", "))});
}

at::Tensor state_floats(const Observer::State& state, const std::string& name, const std::string& observer) {
  const at::Tensor& tensor = state_tensor(state, name, observer);
  if (at::isFloatingType(tensor.scalar_type())) return tensor.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  throw Error({.where = observer,
               .what = fmt::format("the saved {} has dtype {}", name, c10::toString(tensor.scalar_type())),
               .allowed = "floating-point"});
}

double state_number(const Observer::State& state, const std::string& name, const std::string& observer) {
  const at::Tensor& tensor = state_tensor(state, name, observer);
  const bool one = tensor.numel() == 1 && !tensor.is_complex();
  const double number = one ? tensor.to(at::kDouble).item<double>() : 0;
  if (one && std::isfinite(number)) return number;
  throw Error({.where = observer,
               .what = one ? fmt::format("the saved {} is {}", name, number)
                           : fmt::format("the saved {} has {} elements of dtype {}", name, tensor.numel(),
                                         c10::toString(tensor.scalar_type())),
               .allowed = "one finite number"});
}

}  // namespace torquant
