#include "torquant/pt2e/check_spec.h"

#include <fmt/format.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

// Converting places them as quantize_per_tensor or per_channel, which an affine observer's blocks do not fit.
bool has_blocks(const ObserverSpec& spec) {
  return std::holds_alternative<AffineMinMaxSpec>(spec.type) ||
         std::holds_alternative<AffineMovingAverageMinMaxSpec>(spec.type) ||
         std::holds_alternative<AffineMSESpec>(spec.type) || std::holds_alternative<AffineFixedQParamSpec>(spec.type) ||
         std::holds_alternative<AffinePlaceholderSpec>(spec.type);
}

void check_static(const std::string& where, const ObserverSpec& observer, const ObserverOptions& options) {
  if (has_blocks(observer)) {
    throw Error({.where = where,
                 .what = fmt::format("{} cannot be placed in a graph", to_string(observer)),
                 .allowed = "observers per tensor and per channel"});
  }
  if (options.qscheme == QScheme::kPerTokenAffine && !options.is_dynamic) {
    throw Error({.where = where,
                 .what = "per_token_affine without is_dynamic",
                 .allowed = "is_dynamic: which tokens there are is known when the program runs"});
  }
}

void check_codes(const std::string& where, const ObserverOptions& options) {
  if (options.dtype != DType::kInt8 && options.dtype != DType::kUInt8) {
    throw Error({.where = where, .what = to_string(options), .allowed = "dynamic scales for int8 and uint8"});
  }
  if (is_per_channel(options.qscheme)) {
    throw Error({.where = where,
                 .what = to_string(options),
                 .allowed = "dynamic scales per tensor (per_tensor_affine, per_tensor_symmetric) and per token "
                            "(per_token_affine)"});
  }
  const QuantRange all = quant_range(options.dtype);
  const QuantRange range = options.quant_range.value_or(all);
  if (options.qscheme == QScheme::kPerTokenAffine) {
    if (options.dtype == DType::kInt8 && range == all) return;
    throw Error({.where = where, .what = to_string(options), .allowed = "int8 [-128, 127] per token"});
  }
  if (range.min < all.min || range.min > 0 || range.max < 0 || range.max > all.max || range.min == range.max) {
    throw Error({.where = where,
                 .what = to_string(options),
                 .allowed = fmt::format("codes of {} to {} that hold 0, more than one", all.min, all.max)});
  }
}

void check_value(const std::string& where, const Value* value, bool per_token) {
  const at::ScalarType dtype = value->is_tensor() ? value->tensor().dtype : at::ScalarType::Undefined;
  if (dtype != at::kFloat && dtype != at::kHalf && dtype != at::kBFloat16) {
    throw Error({.where = where,
                 .what = fmt::format("a dynamic scale for a {}",
                                     value->is_tensor() ? std::string("tensor of ") + c10::toString(dtype) : "number"),
                 .allowed = "tensors of Float, Half and BFloat16"});
  }
  if (per_token && value->tensor().rank() == 0) {
    throw Error({.where = where, .what = "a scale per token for a tensor of rank 0", .allowed = "rank 1 and more"});
  }
}

}  // namespace

void check_spec(const SharingGroup& group, const ObserverSpec& observer, const ObserverOptions& options,
                const std::unordered_set<const Value*>& constants) {
  check_static(to_string(group.places.front()), observer, options);
  if (!options.is_dynamic) return;
  check_codes(to_string(group.places.front()), options);
  for (const EdgeOrNode& place : group.places) {
    check_value(to_string(place), place.value, options.qscheme == QScheme::kPerTokenAffine);
    const bool is_weight = place.consumer != nullptr && place.consumer->input("weight") == place.value;
    if (!is_weight || !constants.contains(place.value)) continue;
    throw Error({.where = to_string(place),
                 .what = "a dynamic scale for a weight, which never changes",
                 .allowed = "is_dynamic = false: it is quantized once, and its float copy goes"});
  }
}

}  // namespace torquant
