#include "torquant/observer/passive_observer.h"

#include <fmt/format.h>

#include <cmath>

#include <ATen/ops/full.h>

#include "torquant/core/error.h"
#include "torquant/core/observer_qparams.h"

namespace torquant {

FixedQParamsObserver::FixedQParamsObserver(const FixedQParamsSpec& qparams, const ObserverSpec& spec,
                                           const ObserverOptions& options) {
  const QuantRange range = observer_quant_range(options.dtype, options.quant_range, spec.reduce_range);
  const auto scale = static_cast<float>(qparams.scale);
  if (!(scale > 0) || std::isinf(scale)) {
    throw Error({.where = type_name(), .what = fmt::format("scale {}", qparams.scale), .allowed = "finite, above 0"});
  }
  if (qparams.zero_point < range.min || qparams.zero_point > range.max) {
    throw Error({.where = type_name(),
                 .what = fmt::format("zero_point {}", qparams.zero_point),
                 .allowed = fmt::format("{} to {}", range.min, range.max)});
  }
  if (is_per_channel(options.qscheme)) {
    throw Error({.where = type_name(),
                 .what = fmt::format("qscheme {}", qscheme_name(options.qscheme)),
                 .allowed = "per_tensor_affine, per_tensor_symmetric"});
  }
  if (options.is_dynamic) throw Error({.where = type_name(), .what = "is_dynamic", .allowed = "static quantization"});
  scale_ = at::full({1}, scale, at::kFloat);
  zero_point_ = at::full({1}, qparams.zero_point, at::kInt);
}

Observer::State FixedQParamsObserver::state() const {
  State state = Observer::state();
  state["scale"] = scale_.clone();
  state["zero_point"] = zero_point_.clone();
  return state;
}

void FixedQParamsObserver::load_state(const State& state) {
  Observer::load_state(state);
  scale_ = state_tensor(state, "scale", type_name()).to(at::kFloat).clone();
  zero_point_ = state_tensor(state, "zero_point", type_name()).to(at::kInt).clone();
}

at::Tensor RecordingObserver::observe(const at::Tensor& x) {
  values_.push_back(x.detach().clone());
  return x;
}

}  // namespace torquant
