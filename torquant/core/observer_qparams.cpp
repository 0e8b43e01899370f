#include "torquant/core/observer_qparams.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

#include "torquant/core/error.h"

namespace torquant {
namespace {

int64_t floor_half(int64_t value) { return value >> 1; }  // Python's value // 2

void check(std::span<const float> min, std::span<const float> max, const ObserverQParamsRule& rule) {
  assert(min.size() == max.size());
  if (!(rule.eps > 0)) {
    throw Error({.where = "observer_qparams", .what = fmt::format("eps {}", rule.eps), .allowed = "above 0"});
  }
  for (size_t i = 0; i < min.size(); ++i) {
    if (min[i] <= max[i]) continue;
    throw Error({.where = "observer_qparams",
                 .what = fmt::format("channel {} was observed from {} to {}, which is no range", i, min[i], max[i]),
                 .allowed = "min <= max",
                 .hint = "observe at least one finite value of each channel"});
  }
}

// The zero point of O1's symmetric schemes: it does not depend on the data.
int64_t symmetric_zero_point(const ObserverQParamsRule& rule) {
  if (rule.dtype == DType::kUInt16) return int64_t{1} << 15;
  if (rule.dtype != DType::kUInt8) return 0;
  return rule.custom_range ? floor_half(rule.range.min + rule.range.max) : 128;
}

// Q- - round(min / scale), kept in the range. In double, where the quotient of two floats cannot overflow: PyTorch
// casts to int32 first, which is undefined from 2^31 on (O1).
int64_t affine_zero_point(float min, float scale, QuantRange range) {
  const double steps = std::nearbyint(min / scale);
  return static_cast<int64_t>(std::clamp(static_cast<double>(range.min) - steps, static_cast<double>(range.min),
                                         static_cast<double>(range.max)));
}

}  // namespace

QuantRange observer_quant_range(DType dtype, std::optional<QuantRange> custom, bool reduce_range) {
  if (!is_integer(dtype)) {
    throw Error({.where = "observer",
                 .what = fmt::format("dtype {} has no integer codes", dtype_name(dtype)),
                 .allowed = "int1 to int8, uint1 to uint8, int16, uint16, int32"});
  }
  const QuantRange whole = quant_range(dtype);
  if (!custom) {
    return reduce_range && bits_of(dtype) == 8 ? QuantRange{floor_half(whole.min), floor_half(whole.max)} : whole;
  }
  if (custom->min >= custom->max || custom->min > 0 || custom->max < 0 || custom->min < whole.min ||
      custom->max > whole.max) {
    throw Error({.where = "observer",
                 .what = fmt::format("quantization range {} to {} of {}", custom->min, custom->max, dtype_name(dtype)),
                 .allowed = fmt::format("a range within {} to {} that contains 0", whole.min, whole.max)});
  }
  return reduce_range ? QuantRange{floor_half(custom->min), floor_half(custom->max)} : *custom;
}

void observer_qparams(std::span<const float> min, std::span<const float> max, const ObserverQParamsRule& rule,
                      std::span<float> scale, std::span<int64_t> zero_point) {
  assert(rule.qscheme != QScheme::kPerChannelAffineFloatQParams);
  assert(scale.size() == min.size() && zero_point.size() == min.size());
  check(min, max, rule);
  const double codes = static_cast<double>(rule.range.max - rule.range.min);
  if (is_symmetric(rule.qscheme)) {
    const float divisor = static_cast<float>(codes / 2);
    for (size_t i = 0; i < min.size(); ++i) {
      const float reach = std::max(-std::min(min[i], 0.0f), std::max(max[i], 0.0f));
      scale[i] = std::max(reach / divisor, rule.eps);
      zero_point[i] = symmetric_zero_point(rule);
    }
    return;
  }
  const float divisor = static_cast<float>(codes);
  for (size_t i = 0; i < min.size(); ++i) {
    const float low = std::min(min[i], 0.0f);
    const float high = std::max(max[i], 0.0f);
    scale[i] = std::max((high - low) / divisor, rule.eps);
    zero_point[i] = affine_zero_point(low, scale[i], rule.range);
  }
}

void observer_float_qparams(std::span<const float> min, std::span<const float> max, const ObserverQParamsRule& rule,
                            std::span<float> scale, std::span<float> zero_point) {
  assert(scale.size() == min.size() && zero_point.size() == min.size());
  check(min, max, rule);
  const float divisor = static_cast<float>(rule.range.max - rule.range.min);
  for (size_t i = 0; i < min.size(); ++i) {
    const float step = (max[i] - min[i]) / divisor;
    scale[i] = step > rule.eps ? step : 1.0f;
    zero_point[i] = -min[i] / scale[i];
  }
}

}  // namespace torquant
