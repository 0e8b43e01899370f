#include "torquant/observer/fake_quantize.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/fake_quantize_per_channel_affine.h>
#include <ATen/ops/fake_quantize_per_tensor_affine.h>
#include <ATen/ops/full.h>

#include "torquant/core/error.h"
#include "torquant/core/fbgemm_qparams.h"
#include "torquant/observer/affine_observer.h"
#include "torquant/observer/min_max_observer.h"
#include "torquant/observer/passive_observer.h"

namespace torquant {
namespace {

constexpr std::string_view kObserverPrefix = "activation_post_process.";

at::Tensor flag(bool enabled) { return at::full({1}, enabled ? 1 : 0, at::kByte); }

}  // namespace

FakeQuantize::FakeQuantize(ObserverPtr observer, const ObserverSpec& spec, const ObserverOptions& options)
    : observer_(std::move(observer)),
      range_(observer_quant_range(options.dtype, options.quant_range, spec.reduce_range)),
      qscheme_(options.qscheme),
      ch_axis_(options.ch_axis),
      scale_(at::full({1}, 1.0, at::kFloat)),
      zero_point_(at::full({1}, 0, qscheme_ == QScheme::kPerChannelAffineFloatQParams ? at::kFloat : at::kInt)) {
  const Observer& inside = *observer_;
  if (dynamic_cast<const PassiveObserver*>(&inside) != nullptr ||
      dynamic_cast<const AffineQuantizedObserver*>(&inside) != nullptr ||
      dynamic_cast<const AffineQuantizedFixedQParamObserver*>(&inside) != nullptr) {
    throw Error({.where = "FakeQuantize",
                 .what = fmt::format("the observer is a {}", inside.type_name()),
                 .allowed = "observers that give one scale per tensor or per channel"});
  }
  if (inside.observed()) FakeQuantize::update_qparams();
}

at::Tensor FakeQuantize::observe(const at::Tensor& x) {
  check_input(x);
  if (x.numel() == 0) return x;
  if (observer_enabled_) observer_->observe(x.detach());
  update_qparams();
  if (!fake_quant_enabled_) return x;
  if (!observed()) refuse_qparams("it observed no finite value; enable the observer for at least one batch");
  if (is_per_channel(qscheme_)) {
    return at::fake_quantize_per_channel_affine(x, scale_, zero_point_, axis_in(x), range_.min, range_.max);
  }
  return at::fake_quantize_per_tensor_affine(x, scale_, zero_point_, range_.min, range_.max);
}

void FakeQuantize::update_qparams() {
  if (!observer_enabled_ || !observed()) return;
  const TensorQParams qparams = observer_->calculate_qparams();
  scale_ = qparams.scale;
  zero_point_ = qparams.zero_point.to(zero_point_.scalar_type());
}

int64_t FakeQuantize::axis_in(const at::Tensor& x) const {
  const int64_t axis = ch_axis_ < 0 ? ch_axis_ + x.dim() : ch_axis_;
  if (axis >= 0 && axis < x.dim() && x.size(axis) == scale_.numel()) return axis;
  throw Error({.where = type_name(),
               .what = fmt::format("{} scales along axis {} of a tensor of rank {}", scale_.numel(), ch_axis_, x.dim()),
               .allowed = "one scale for each index of the axis"});
}

Observer::State FakeQuantize::state() const {
  State state;
  state["fake_quant_enabled"] = flag(fake_quant_enabled_);
  state["observer_enabled"] = flag(observer_enabled_);
  state["scale"] = scale_.detach().clone();
  state["zero_point"] = zero_point_.detach().clone();
  for (auto& [name, tensor] : observer_->state()) state[std::string(kObserverPrefix) + name] = tensor;
  return state;
}

void FakeQuantize::load_state(const State& state) {
  State inner;
  for (const auto& [name, tensor] : state) {
    if (name.starts_with(kObserverPrefix)) inner[name.substr(kObserverPrefix.size())] = tensor;
  }
  observer_->load_state(inner);
  fake_quant_enabled_ = state_number(state, "fake_quant_enabled", type_name()) != 0;
  observer_enabled_ = state_number(state, "observer_enabled", type_name()) != 0;
  const at::Tensor scale = state_floats(state, "scale", type_name());
  const at::Tensor zero_point = state_tensor(state, "zero_point", type_name()).to(at::kDouble);
  if (scale.dim() != 1 || scale.sizes() != zero_point.sizes()) {
    throw Error({.where = type_name(),
                 .what = fmt::format("the saved scale has rank {} and {} elements, zero_point rank {} and {}",
                                     scale.dim(), scale.numel(), zero_point.dim(), zero_point.numel()),
                 .allowed = "equal sizes of rank 1"});
  }
  for (int64_t i = 0; i < scale.numel(); ++i) {
    const double one = scale[i].item<double>();
    const double zero = zero_point[i].item<double>();
    if (std::isfinite(one) && std::abs(zero) < 0x1p31) continue;
    throw Error({.where = type_name(),
                 .what = fmt::format("the saved scale is {}, its zero_point {}", one, zero),
                 .allowed = "finite numbers, the zero_point of 32 bits"});
  }
  scale_ = scale;
  zero_point_ = zero_point.to(zero_point_.scalar_type());
}

void FakeQuantize::merge(const Observer& other) {
  const auto& same = same_type<FakeQuantize>(other);
  observer_->merge(*same.observer_);
  update_qparams();
}

FusedMovingAvgObsFakeQuantize::FusedMovingAvgObsFakeQuantize(ObserverPtr observer, const ObserverSpec& spec,
                                                             const ObserverOptions& options)
    : FakeQuantize(std::move(observer), spec, options) {
  if (dynamic_cast<MovingAverageMinMaxObserver*>(observer_.get()) == nullptr &&
      dynamic_cast<MovingAveragePerChannelMinMaxObserver*>(observer_.get()) == nullptr) {
    throw Error({.where = type_name(),
                 .what = fmt::format("the observer is a {}", observer_->type_name()),
                 .allowed = "MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver"});
  }
  if (qscheme_ == QScheme::kPerChannelAffineFloatQParams) {
    throw Error({.where = type_name(),
                 .what = fmt::format("qscheme {}", qscheme_name(qscheme_)),
                 .allowed = "per_tensor_affine, per_tensor_symmetric, per_channel_affine, per_channel_symmetric"});
  }
}

// As in PyTorch, the range is turned into a scale whenever that scale is used, and not before.
void FusedMovingAvgObsFakeQuantize::update_qparams() {
  if (!fake_quant_enabled_ || !observed()) return;
  const auto& range = static_cast<const UniformObserver&>(*observer_);
  const at::Tensor min = range.min_val().reshape({-1});
  const at::Tensor max = range.max_val().reshape({-1});
  at::Tensor scale = at::empty(min.sizes(), at::kFloat);
  at::Tensor zero_point = at::empty(min.sizes(), at::kInt);
  for (int64_t i = 0; i < min.numel(); ++i) {
    const FbgemmQParams chosen = choose_qparams_fbgemm({.min = min.const_data_ptr<float>()[i],
                                                        .max = max.const_data_ptr<float>()[i],
                                                        .quant_min = static_cast<int32_t>(range_.min),
                                                        .quant_max = static_cast<int32_t>(range_.max),
                                                        .preserve_sparsity = is_symmetric(qscheme_)});
    scale.mutable_data_ptr<float>()[i] = static_cast<float>(chosen.scale);
    zero_point.mutable_data_ptr<int32_t>()[i] = chosen.zero_point;
  }
  scale_ = scale;
  zero_point_ = zero_point;
}

}  // namespace torquant
