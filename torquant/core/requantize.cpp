#include "torquant/core/requantize.h"

#include <cmath>

#include "torquant/core/rounding.h"

namespace torquant {
namespace {

uint8_t to_code(float steps, uint8_t lo, uint8_t hi) {
  const float code = round_half_even(steps);
  if (!(code > static_cast<float>(lo))) return lo;
  return code < static_cast<float>(hi) ? static_cast<uint8_t>(code) : hi;
}

}  // namespace

Requantization requantization(const TensorGrid& input, double weight_scale, double bias, const TensorGrid& output,
                              const TensorGrid* residual) {
  double offset = bias / output.scale + output.zero_point;
  if (residual != nullptr) offset -= residual->zero_point * (residual->scale / output.scale);
  return {.multiplier = static_cast<float>(input.scale * weight_scale / output.scale),
          .offset = static_cast<float>(offset)};
}

Requantization sum_requantization(const TensorGrid& a, const TensorGrid& b, const TensorGrid& output) {
  const double a_multiplier = a.scale / output.scale, b_multiplier = b.scale / output.scale;
  return {.multiplier = static_cast<float>(a_multiplier),
          .offset = static_cast<float>(output.zero_point - a.zero_point * a_multiplier - b.zero_point * b_multiplier)};
}

Requantization mean_requantization(const TensorGrid& input, int64_t count, const TensorGrid& output) {
  return {.multiplier = static_cast<float>(input.scale / (output.scale * static_cast<double>(count))),
          .offset = static_cast<float>(output.zero_point)};
}

Requantization product_requantization(const TensorGrid& a, const TensorGrid& b, const TensorGrid& output) {
  return {.multiplier = static_cast<float>(a.scale * b.scale / output.scale),
          .offset = static_cast<float>(output.zero_point)};
}

float residual_multiplier(const TensorGrid& residual, const TensorGrid& output) {
  return static_cast<float>(residual.scale / output.scale);
}

uint8_t requantize(int32_t accumulator, const Requantization& how, uint8_t lo, uint8_t hi) {
  return to_code(std::fma(static_cast<float>(accumulator), how.multiplier, how.offset), lo, hi);
}

uint8_t requantize(int32_t accumulator, const Requantization& how, uint8_t residual, float residual_multiplier,
                   uint8_t lo, uint8_t hi) {
  const float rest = std::fma(static_cast<float>(residual), residual_multiplier, how.offset);
  return to_code(std::fma(static_cast<float>(accumulator), how.multiplier, rest), lo, hi);
}

bool requantization_fits(const Requantization& how, int64_t depth, float residual_multiplier) {
  constexpr double kLargestProduct = 255.0 * 128.0, kLimit = 2147483520.0;  // the largest float below 2^31
  const double largest_sum = static_cast<double>(depth) * kLargestProduct;
  const double steps = largest_sum * std::fabs(static_cast<double>(how.multiplier)) +
                       255.0 * std::fabs(static_cast<double>(residual_multiplier)) +
                       std::fabs(static_cast<double>(how.offset));
  return largest_sum <= kLimit && steps <= kLimit;  // false for NaN
}

}  // namespace torquant
