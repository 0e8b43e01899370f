#include "torquant/core/fbgemm_qparams.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "torquant/core/error.h"

namespace torquant {
namespace {

// The smallest scale: it keeps float16 scales out of the subnormals (fp16_min is 6.10e-5).
constexpr float kSmallestScale = 6.1e-5f;

struct Range {
  float min;
  float max;
};

// The range that a symmetric grid of `codes` steps covers, if it reaches as far as `range` on both sides.
Range make_symmetric(Range range, int32_t codes) {
  const int32_t lowest = -(codes / 2 + 1);
  const int32_t highest = codes / 2;
  const double step =
      std::max(std::fabs(range.min / static_cast<float>(lowest)), std::fabs(range.max / static_cast<float>(highest)));
  return {static_cast<float>(step * lowest), static_cast<float>(step * highest)};
}

double round_to_power_of_two(double scale) {
  return scale < 1 ? std::ldexp(1.0, -static_cast<int>(std::floor(std::log(1.0 / scale) / std::log(2))))
                   : std::ldexp(1.0, static_cast<int>(std::ceil(std::log(scale) / std::log(2))));
}

// The range after a scale below kSmallestScale was raised to it.
Range widen(Range range, float scale, int32_t codes) {
  if (range.min == 0.0f) return {range.min, kSmallestScale * static_cast<float>(codes)};
  if (range.max == 0.0f) return {-kSmallestScale * static_cast<float>(codes), range.max};
  const float factor = kSmallestScale / scale;
  return {range.min * factor, range.max * factor};
}

}  // namespace

FbgemmQParams choose_qparams_fbgemm(const FbgemmQParamsArgs& args) {
  if (!(args.min <= args.max) || std::isinf(args.min) || std::isinf(args.max)) {
    throw Error({.where = "choose_qparams_fbgemm",
                 .what = fmt::format("min {} and max {}", args.min, args.max),
                 .allowed = "finite, min <= max"});
  }
  const int32_t quant_min = args.reduce_range ? args.quant_min / 2 : args.quant_min;
  const int32_t quant_max = args.reduce_range ? args.quant_max / 2 : args.quant_max;
  const int64_t steps = int64_t{quant_max} - quant_min;
  if (steps <= 0 || steps > std::numeric_limits<int32_t>::max()) {
    throw Error({.where = "choose_qparams_fbgemm",
                 .what = fmt::format("quant_min {} and quant_max {}", quant_min, quant_max),
                 .allowed = "quant_min < quant_max, less than 2^31 apart"});
  }
  const auto codes = static_cast<int32_t>(steps);
  Range range = {args.min, args.max};
  if (range.min < 0 && range.max > 0 && args.preserve_sparsity) range = make_symmetric(range, codes);
  range = {std::min(range.min, 0.0f), std::max(range.max, 0.0f)};

  double scale = (static_cast<double>(range.max) - range.min) / codes;
  if (static_cast<float>(scale) == 0.0f || std::isinf(1.0f / static_cast<float>(scale))) scale = 0.1;
  if (args.force_scale_power_of_two) scale = round_to_power_of_two(scale);
  if (scale < kSmallestScale) {
    range = widen(range, static_cast<float>(scale), codes);
    scale = kSmallestScale;
  }

  // 0 is quant_min - min/scale and quant_max - max/scale: of the two, the one with the smaller terms is more exact.
  const double from_min = quant_min - range.min / scale;
  const double from_max = quant_max - range.max / scale;
  const bool min_is_better = std::abs(static_cast<double>(quant_min)) - std::abs(range.min / scale) <
                             std::abs(static_cast<double>(quant_max)) - std::abs(range.max / scale);
  double zero_point = min_is_better ? from_min : from_max;
  if (range.min < 0 && range.max > 0 && args.preserve_sparsity) {
    zero_point = (static_cast<double>(quant_min) + quant_max) / 2;
  }
  zero_point = std::clamp(zero_point, static_cast<double>(quant_min), static_cast<double>(quant_max));
  return {scale, static_cast<int32_t>(std::nearbyint(zero_point))};
}

}  // namespace torquant
