#include "torquant/observer/learnable_fake_quantize.h"

#include <fmt/format.h>

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fake_quantize_learnable_per_channel_affine.h>
#include <ATen/ops/_fake_quantize_learnable_per_tensor_affine.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/round.h>

#include "torquant/core/error.h"

namespace torquant {

LearnableFakeQuantize::LearnableFakeQuantize(ObserverPtr observer, const ObserverSpec& spec,
                                             const ObserverOptions& options)
    : FakeQuantize(std::move(observer), spec, options), use_grad_scaling_(spec.use_grad_scaling) {
  zero_point_ = zero_point_.to(at::kFloat);
}

at::Tensor LearnableFakeQuantize::observe(const at::Tensor& x) {
  check_input(x);
  if (x.numel() == 0) return x;
  if (observer_enabled_ || !initialized_) {
    observer_->observe(x.detach());
    set_qparams(observer_->calculate_qparams());
  }
  if (!fake_quant_enabled_) return x;
  if (is_symmetric(qscheme_)) {
    const at::NoGradGuard no_grad;
    zero_point_.zero_();
  }
  const double factor =
      use_grad_scaling_ ? 1 / std::sqrt(static_cast<double>(x.numel()) * static_cast<double>(range_.max)) : 1;
  if (is_per_channel(qscheme_)) {
    return at::_fake_quantize_learnable_per_channel_affine(x, scale_, zero_point_, axis_in(x), range_.min, range_.max,
                                                           factor);
  }
  return at::_fake_quantize_learnable_per_tensor_affine(x, scale_, zero_point_, range_.min, range_.max, factor);
}

void LearnableFakeQuantize::set_qparams(const TensorQParams& qparams) {
  const at::NoGradGuard no_grad;
  if (initialized_) {
    scale_.copy_(qparams.scale);
    zero_point_.copy_(qparams.zero_point);
    return;
  }
  scale_ = qparams.scale.clone();
  zero_point_ = qparams.zero_point.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  initialized_ = true;
  enable_range_learning(learning_enabled_);
}

TensorQParams LearnableFakeQuantize::calculate_qparams() const {
  if (!initialized_) refuse_qparams("it observed no finite value; run at least one batch");
  const at::NoGradGuard no_grad;
  return {at::clamp(scale_.detach(), kObserverEps),
          at::clamp(at::round(zero_point_.detach()), range_.min, range_.max).to(at::kLong)};
}

void LearnableFakeQuantize::enable_range_learning(bool enabled) {
  learning_enabled_ = enabled;
  if (enabled) observer_enabled_ = false;
  if (!initialized_) return;
  scale_.set_requires_grad(enabled);
  zero_point_.set_requires_grad(enabled);
}

void LearnableFakeQuantize::enable_observer(bool enabled) {
  observer_enabled_ = enabled;
  if (enabled) enable_range_learning(false);
}

std::vector<at::Tensor> LearnableFakeQuantize::parameters() const {
  if (!initialized_) refuse_qparams("it observed no finite value; run at least one batch");
  return {scale_, zero_point_};
}

Observer::State LearnableFakeQuantize::state() const {
  State state = FakeQuantize::state();
  state["learning_enabled"] = at::full({1}, learning_enabled_ ? 1 : 0, at::kByte);
  state["eps"] = at::full({1}, kObserverEps, at::kFloat);
  if (!initialized_) {  // PyTorch creates them with the first batch
    state.erase("scale");
    state.erase("zero_point");
  }
  return state;
}

void LearnableFakeQuantize::load_state(const State& state) {
  State completed = state;
  completed.emplace("scale", at::full({1}, 1.0, at::kFloat));
  completed.emplace("zero_point", at::full({1}, 0.0, at::kFloat));
  FakeQuantize::load_state(completed);
  initialized_ = state.contains("scale");
  const bool observer_enabled = observer_enabled_;
  enable_range_learning(state_number(state, "learning_enabled", type_name()) != 0);
  observer_enabled_ = observer_enabled;
}

void LearnableFakeQuantize::merge(const Observer&) {
  throw Error({.where = type_name(), .what = "cannot merge: its scale is trained, not observed"});
}

}  // namespace torquant
