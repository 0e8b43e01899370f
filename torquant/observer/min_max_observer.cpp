#include "torquant/observer/min_max_observer.h"

#include <fmt/format.h>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>

#include "torquant/core/error.h"
#include "torquant/observer/finite.h"
#include "torquant/observer/moving_average.h"

namespace torquant {
namespace {

[[noreturn]] void refuse_order(const std::string& name) {
  throw Error({.where = name,
               .what = "cannot merge: a moving average depends on the order of the batches",
               .hint = "use a min-max observer, or observe all batches in one place"});
}

void refuse_dynamic(const std::string& name, const ObserverOptions& options) {
  if (options.is_dynamic) throw Error({.where = name, .what = "is_dynamic", .allowed = "static quantization"});
}

}  // namespace

at::Tensor MinMaxObserver::observe(const at::Tensor& x) {
  check_input(x);
  if (x.numel() == 0) return x;
  const at::NoGradGuard no_grad;
  const FiniteRange range = finite_range(x.scalar_type() == at::kDouble ? x.to(at::kFloat) : x);
  count_nonfinite(range.nonfinite);
  if (range.values.defined()) update(range.min.to(at::kFloat), range.max.to(at::kFloat));
  return x;
}

void MinMaxObserver::update(const at::Tensor& min, const at::Tensor& max) {
  min_val_ = at::minimum(min, min_val_);
  max_val_ = at::maximum(max, max_val_);
}

bool MinMaxObserver::observed() const { return min_val_.item<float>() <= max_val_.item<float>(); }

TensorQParams MinMaxObserver::calculate_qparams() const { return qparams_of(min_val_, max_val_); }

void MinMaxObserver::merge(const Observer& other) {
  const auto& same = same_type<MinMaxObserver>(other);
  Observer::merge(other);
  MinMaxObserver::update(same.min_val_, same.max_val_);
}

MovingAverageMinMaxObserver::MovingAverageMinMaxObserver(double averaging_constant, const ObserverSpec& spec,
                                                         const ObserverOptions& options)
    : MinMaxObserver("MovingAverageMinMaxObserver", spec, options),
      averaging_constant_(
          checked_averaging_constant("MovingAverageMinMaxObserver", averaging_constant, options.is_dynamic)) {}

void MovingAverageMinMaxObserver::update(const at::Tensor& min, const at::Tensor& max) {
  const MovingRange moved = move_average({min_val_, max_val_}, {min, max}, averaging_constant_);
  min_val_ = moved.min;
  max_val_ = moved.max;
}

void MovingAverageMinMaxObserver::merge(const Observer&) { refuse_order(type_name()); }

PerChannelMinMaxObserver::PerChannelMinMaxObserver(const std::string& name, const ObserverSpec& spec,
                                                   const ObserverOptions& options)
    : UniformObserver(name, spec, options, Channels::kYes) {
  refuse_dynamic(name, options);
}

at::Tensor PerChannelMinMaxObserver::observe(const at::Tensor& x) {
  check_input(x);
  if (x.numel() == 0) return x;
  const int64_t axis = ch_axis() < 0 ? ch_axis() + x.dim() : ch_axis();
  if (axis < 0 || axis >= x.dim()) {
    throw Error(
        {.where = type_name(),
         .what = fmt::format("ch_axis {} of a tensor of rank {}", ch_axis(), x.dim()),
         .allowed = x.dim() == 0 ? "tensors of rank 1 and more" : fmt::format("{} to {}", -x.dim(), x.dim() - 1)});
  }
  check_channels(x.size(axis));
  const at::NoGradGuard no_grad;
  const at::Tensor rows = x.detach().transpose(0, axis).to(at::kFloat).reshape({x.size(axis), -1});
  const FiniteRangePerRow range = finite_range_per_row(rows);
  count_nonfinite(range.nonfinite);
  update(range.min, range.max);
  return x;
}

void PerChannelMinMaxObserver::check_channels(int64_t channels) const {
  if (!observed() || channels == min_val_.numel()) return;
  throw Error({.where = type_name(),
               .what = fmt::format("observed {} channels along axis {}", channels, ch_axis()),
               .allowed = fmt::format("{}, as in the first batch", min_val_.numel())});
}

void PerChannelMinMaxObserver::update(const at::Tensor& min, const at::Tensor& max) {
  min_val_ = observed() ? at::minimum(min, min_val_) : min;
  max_val_ = max_val_.numel() > 0 ? at::maximum(max, max_val_) : max;
}

TensorQParams PerChannelMinMaxObserver::calculate_qparams() const { return qparams_of(min_val_, max_val_); }

void PerChannelMinMaxObserver::merge(const Observer& other) {
  const auto& same = same_type<PerChannelMinMaxObserver>(other);
  if (same.observed()) check_channels(same.min_val_.numel());
  Observer::merge(other);
  if (same.observed()) PerChannelMinMaxObserver::update(same.min_val_, same.max_val_);
}

MovingAveragePerChannelMinMaxObserver::MovingAveragePerChannelMinMaxObserver(double averaging_constant,
                                                                             const ObserverSpec& spec,
                                                                             const ObserverOptions& options)
    : PerChannelMinMaxObserver("MovingAveragePerChannelMinMaxObserver", spec, options),
      averaging_constant_(checked_averaging_constant("MovingAveragePerChannelMinMaxObserver", averaging_constant,
                                                     options.is_dynamic)) {}

void MovingAveragePerChannelMinMaxObserver::update(const at::Tensor& min, const at::Tensor& max) {
  if (!observed()) {
    min_val_ = min;
    max_val_ = max;
    return;
  }
  const MovingRange moved = move_average({min_val_, max_val_}, {min, max}, averaging_constant_);
  min_val_ = moved.min;
  max_val_ = moved.max;
}

void MovingAveragePerChannelMinMaxObserver::merge(const Observer&) { refuse_order(type_name()); }

}  // namespace torquant
