#include "torquant/observer/passive_observer.h"

#include <fmt/format.h>

#include <cmath>

#include <ATen/ops/full.h>

#include "torquant/core/error.h"
#include "torquant/core/observer_qparams.h"

namespace torquant {

FixedQParamsObserver::FixedQParamsObserver(const FixedQParamsSpec& qparams, const ObserverSpec& spec,
                                           const ObserverOptions& options)
    : range_(observer_quant_range(options.dtype, options.quant_range, spec.reduce_range)) {
  if (is_per_channel(options.qscheme) || options.qscheme == QScheme::kPerTokenAffine) {
    throw Error({.where = type_name(),
                 .what = fmt::format("qscheme {}", qscheme_name(options.qscheme)),
                 .allowed = "per_tensor_affine, per_tensor_symmetric"});
  }
  if (options.is_dynamic) throw Error({.where = type_name(), .what = "is_dynamic", .allowed = "static quantization"});
  set(qparams.scale, static_cast<double>(qparams.zero_point));
}

void FixedQParamsObserver::set(double scale, double zero_point) {
  const auto rounded = static_cast<float>(scale);
  if (!(rounded > 0) || std::isinf(rounded)) {
    throw Error({.where = type_name(), .what = fmt::format("scale {}", scale), .allowed = "finite, above 0"});
  }
  if (!(zero_point >= static_cast<double>(range_.min) && zero_point <= static_cast<double>(range_.max))) {
    throw Error({.where = type_name(),
                 .what = fmt::format("zero_point {}", zero_point),
                 .allowed = fmt::format("{} to {}", range_.min, range_.max)});
  }
  scale_ = at::full({1}, rounded, at::kFloat);
  zero_point_ = at::full({1}, zero_point, at::kInt);
}

Observer::State FixedQParamsObserver::state() const {
  State state = Observer::state();
  state["scale"] = scale_.clone();
  state["zero_point"] = zero_point_.clone();
  return state;
}

void FixedQParamsObserver::load_state(const State& state) {
  Observer::load_state(state);
  set(state_number(state, "scale", type_name()), state_number(state, "zero_point", type_name()));
}

at::Tensor RecordingObserver::observe(const at::Tensor& x) {
  values_.push_back(x.detach().clone());
  return x;
}

}  // namespace torquant
