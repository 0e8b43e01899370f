#include "torquant/observer/observer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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
  const auto count = state.find("nonfinite_count");
  nonfinite_count_ = count == state.end() ? 0 : count->second.item<int64_t>();
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

}  // namespace torquant
