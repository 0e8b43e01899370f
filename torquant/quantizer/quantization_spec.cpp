#include "torquant/quantizer/quantization_spec.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "torquant/core/error.h"

namespace torquant {

std::string to_string(const EdgeOrNode& place) {
  if (place.consumer == nullptr) return "%" + place.value->name();
  return fmt::format("%{} → %{}", place.value->name(), place.consumer->name());
}

const ObserverOptions* options_of(const AnyQuantizationSpec& spec) {
  if (const auto* own = std::get_if<QuantizationSpec>(&spec)) return &own->options;
  if (const auto* fixed = std::get_if<FixedQParamsQuantizationSpec>(&spec)) return &fixed->options;
  if (const auto* derived = std::get_if<DerivedQuantizationSpec>(&spec)) return &derived->options;
  return nullptr;
}

std::string to_string(const AnyQuantizationSpec& spec) {
  struct Text {
    std::string operator()(const QuantizationSpec& s) const {
      return fmt::format("{}, {}", to_string(s.options), to_string(s.observer));
    }
    std::string operator()(const FixedQParamsQuantizationSpec& s) const {
      return fmt::format("{}, scale {}, zero point {}", to_string(s.options), s.scale, s.zero_point);
    }
    std::string operator()(const SharedQuantizationSpec& s) const { return "shared with " + to_string(s.with); }
    std::string operator()(const DerivedQuantizationSpec& s) const {
      return fmt::format("{}, derived from {} places", to_string(s.options), s.derived_from.size());
    }
  };
  return std::visit(Text{}, spec);
}

TensorQParams derive_bias_qparams(const std::vector<const Observer*>& input_and_weight) {
  if (input_and_weight.size() != 2) {
    throw Error({.where = "derive_bias_qparams",
                 .what = fmt::format("{} observers", input_and_weight.size()),
                 .allowed = "2: the input's and the weight's"});
  }
  const at::Tensor input_scale = input_and_weight[0]->calculate_qparams().scale;
  const at::Tensor weight_scale = input_and_weight[1]->calculate_qparams().scale;
  if (input_scale.numel() != 1) {
    throw Error({.where = "derive_bias_qparams",
                 .what = fmt::format("the input has {} scales", input_scale.numel()),
                 .allowed = "1: products of channels with different scales cannot be added"});
  }
  const at::Tensor scale = at::mul(input_scale, weight_scale).reshape({-1}).to(at::kFloat);
  return {scale, at::zeros_like(scale, at::kInt)};
}

}  // namespace torquant
