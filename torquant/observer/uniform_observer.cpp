#include "torquant/observer/uniform_observer.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <span>

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

std::span<const float> floats(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

template <class T>
std::span<T> elements(at::Tensor& tensor) {
  return {tensor.mutable_data_ptr<T>(), static_cast<size_t>(tensor.numel())};
}

void check_eps(const std::string& where, float eps) {
  if (eps > 0 && std::isfinite(eps)) return;
  throw Error({.where = where, .what = fmt::format("eps {}", eps), .allowed = "finite, above 0"});
}

// Of a saved state: finite, or what an observer has before it sees anything.
void check_ranges(const std::string& where, std::span<const float> min, std::span<const float> max) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < min.size(); ++i) {
    if (std::isfinite(min[i]) && std::isfinite(max[i]) && min[i] <= max[i]) continue;
    if (min[i] == kInfinity && max[i] == -kInfinity) continue;
    throw Error({.where = where,
                 .what = fmt::format("the saved range goes from {} to {}", min[i], max[i]),
                 .allowed = "finite numbers, min_val <= max_val"});
  }
}

}  // namespace

UniformObserver::UniformObserver(const std::string& name, const ObserverSpec& spec, const ObserverOptions& options,
                                 Channels channels)
    : rule_{.dtype = options.dtype,
            .qscheme = options.qscheme,
            .range = observer_quant_range(options.dtype, options.quant_range, spec.reduce_range),
            .custom_range = options.quant_range.has_value(),
            .eps = spec.eps},
      ch_axis_(options.ch_axis) {
  const bool wants_channels = channels == Channels::kYes;
  if (is_per_channel(options.qscheme) != wants_channels || options.qscheme == QScheme::kPerTokenAffine) {
    throw Error({.where = name,
                 .what = fmt::format("qscheme {}", qscheme_name(options.qscheme)),
                 .allowed = wants_channels
                                ? "per_channel_affine, per_channel_symmetric, per_channel_affine_float_qparams"
                                : "per_tensor_affine, per_tensor_symmetric"});
  }
  check_eps(name, spec.eps);
  if (spec.reduce_range && is_symmetric(options.qscheme) && options.dtype == DType::kUInt8 && !options.quant_range) {
    throw Error({.where = name,
                 .what = "reduce_range with symmetric uint8: its zero point 128 is outside the codes 0 to 127",
                 .allowed = "an affine qscheme, int8, or a quant_range of your own"});
  }
  const double infinity = std::numeric_limits<double>::infinity();
  min_val_ = wants_channels ? at::empty({0}, at::kFloat) : at::scalar_tensor(infinity, at::kFloat);
  max_val_ = wants_channels ? at::empty({0}, at::kFloat) : at::scalar_tensor(-infinity, at::kFloat);
}

Observer::State UniformObserver::state() const {
  State state = Observer::state();
  state["eps"] = at::full({1}, rule_.eps, at::kFloat);
  state["min_val"] = min_val_.clone();
  state["max_val"] = max_val_.clone();
  return state;
}

void UniformObserver::load_state(const State& state) {
  Observer::load_state(state);
  const at::Tensor min = state_floats(state, "min_val", type_name());
  const at::Tensor max = state_floats(state, "max_val", type_name());
  if (min.dim() != min_val_.dim() || min.sizes() != max.sizes()) {
    throw Error({.where = type_name(),
                 .what = fmt::format("the saved min_val has rank {} and {} elements, max_val rank {} and {}", min.dim(),
                                     min.numel(), max.dim(), max.numel()),
                 .allowed = fmt::format("equal sizes of rank {}", min_val_.dim())});
  }
  check_ranges(type_name(), floats(min), floats(max));
  const auto eps = static_cast<float>(state_number(state, "eps", type_name()));
  check_eps(type_name(), eps);
  min_val_ = min;
  max_val_ = max;
  rule_.eps = eps;
}

TensorQParams UniformObserver::qparams_of(const at::Tensor& min, const at::Tensor& max) const {
  if (!observed()) refuse_qparams("it observed no finite value; calibrate with at least one batch that reaches it");
  const at::Tensor low = min.reshape({-1}).contiguous();
  const at::Tensor high = max.reshape({-1}).contiguous();
  at::Tensor scale = at::empty_like(low);
  if (rule_.qscheme == QScheme::kPerChannelAffineFloatQParams) {
    at::Tensor zero_point = at::empty_like(low);
    observer_float_qparams(floats(low), floats(high), rule_, elements<float>(scale), elements<float>(zero_point));
    return {scale, zero_point};
  }
  at::Tensor zero_point = at::empty(low.sizes(), at::kLong);
  observer_qparams(floats(low), floats(high), rule_, elements<float>(scale), elements<int64_t>(zero_point));
  // PyTorch's dtypes: an affine zero point went through int32, a symmetric one is a constant in int64.
  return {scale, is_symmetric(rule_.qscheme) ? zero_point : zero_point.to(at::kInt)};
}

}  // namespace torquant
