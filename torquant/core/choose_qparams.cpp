#include "torquant/core/choose_qparams.h"

#include <fmt/format.h>

#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/core/float_formats.h"
#include "torquant/core/rounding.h"

namespace torquant {
namespace {

// Elements converted to float at a time: 4 KB, a fraction of the first-level cache.
constexpr int64_t kChunk = 1024;

// Scalars take part in an operation as float (in float64 as they are), whatever the tensor's dtype.
double scalar(double value, DType compute) { return compute == DType::kFloat64 ? value : static_cast<float>(value); }

// max(x, y) where NaN wins, as at::max and at::clamp have it.
double max_nan(double x, double y) { return std::isnan(x) || x > y ? x : y; }
double min_nan(double x, double y) { return std::isnan(x) || x < y ? x : y; }

// The middle of the range: the zero point of symmetric mappings (towards zero) and tinygemm's code of `zero_point`.
double mid_point(const QuantRange& range) { return static_cast<double>(range.max + range.min + 1) / 2; }

// Q5, the symmetric scales.
double symmetric_scale(double min, double max, const ChooseQParamsArgs& args) {
  const auto divide = [&](double x, double y) { return round_to(x / scalar(y, args.compute), args.compute); };
  if (args.mapping == MappingType::kSymmetric) {
    const double steps = static_cast<double>(args.range.max - args.range.min) / 2;
    return divide(std::isnan(min) ? min : max_nan(max, -min), steps);
  }
  const double for_min = divide(min, static_cast<double>(args.range.min));
  const double for_max = divide(max, static_cast<double>(args.range.max));
  return for_min > for_max ? for_min : for_max;
}

template <class T>
void run_min_max(const ConstArray& input, int64_t begin, int64_t count, T& min, T& max) {
  // Independent lanes: the compiler vectorises them, a single chain of comparisons it may not.
  constexpr int kLanes = 16;
  std::array<T, kChunk> chunk;
  while (count > 0) {
    const int64_t n = std::min(count, kChunk);
    load(input, begin, n, chunk.data());
    std::array<T, kLanes> low;
    std::array<T, kLanes> high;
    low.fill(chunk[0]);
    high.fill(chunk[0]);
    T nan_seen = 0;  // x - x is 0, or NaN for NaN and infinities
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const T x = chunk[i + lane];
        low[lane] = x < low[lane] ? x : low[lane];
        high[lane] = x > high[lane] ? x : high[lane];
      }
    }
    for (; i < n; ++i) {
      low[0] = chunk[i] < low[0] ? chunk[i] : low[0];
      high[0] = chunk[i] > high[0] ? chunk[i] : high[0];
    }
    for (int64_t j = 0; j < n; ++j) nan_seen = chunk[j] != chunk[j] ? chunk[j] : nan_seen;
    if (nan_seen != nan_seen) min = max = nan_seen;
    for (int lane = 0; lane < kLanes; ++lane) {
      if (low[lane] < min) min = low[lane];
      if (high[lane] > max) max = high[lane];
    }
    begin += n;
    count -= n;
  }
}

template <class T>
void block_min_max_in(const ConstArray& input, const BlockLayout& layout, const Array& min, const Array& max) {
  std::vector<T> low(layout.num_blocks(), std::numeric_limits<T>::infinity());
  std::vector<T> high(layout.num_blocks(), -std::numeric_limits<T>::infinity());
  layout.for_each_run(0, layout.num_elements(), [&](int64_t begin, int64_t count, int64_t block) {
    run_min_max(input, begin, count, low[block], high[block]);
  });
  store(low.data(), min, 0, layout.num_blocks());
  store(high.data(), max, 0, layout.num_blocks());
}

}  // namespace

QParams choose_qparams(double min, double max, const ChooseQParamsArgs& args) {
  const DType compute = args.compute;
  const auto quant_min = static_cast<double>(args.range.min);
  const auto quant_max = static_cast<double>(args.range.max);
  const double eps = round_to(args.eps.value_or(smallest_normal(compute)), compute);
  if (args.rule == QParamsRule::kAffine) {
    min = min_nan(min, 0);
    max = max_nan(max, 0);
  }
  if (args.mapping != MappingType::kAsymmetric) {
    assert(args.rule == QParamsRule::kAffine);
    return {max_nan(symmetric_scale(min, max, args), eps), round_to(std::trunc(mid_point(args.range)), compute)};
  }

  const double width = round_to(max - min, compute);
  const double scale = max_nan(round_to(width / scalar(quant_max - quant_min, compute), compute), eps);
  if (args.rule == QParamsRule::kTinygemm) {
    const double half = round_to(scale * scalar(mid_point(args.range), compute), compute);
    return {scale, round_to(min + half, compute)};
  }
  const double steps_to_min = round_half_even(round_to(min / scale, compute));
  const double zero_point = round_to(quant_min - steps_to_min, compute);
  return {scale, clamp_keep_nan(zero_point, round_to(quant_min, compute), round_to(quant_max, compute))};
}

double choose_scale_absmax(double absmax, int64_t quant_max, DType compute) {
  constexpr double kFloor = 1e-5;
  const double floored = max_nan(absmax, round_to(kFloor, compute));
  return round_to(floored / scalar(static_cast<double>(quant_max), compute), compute);
}

QParams choose_qparams_least_error(double min, double max, const QuantRange& range, DType compute) {
  constexpr double kFloor = 0x1p-23;
  const auto quant_min = static_cast<double>(range.min);
  const auto quant_max = static_cast<double>(range.max);
  const auto round = [compute](double value) { return round_to(value, compute); };
  min = min_nan(min, 0);
  max = max_nan(max, 0);
  const double scale = max_nan(round(round(max - min) / scalar(quant_max - quant_min, compute)), round(kFloor));
  const double steps_to_min = round(min / scale);
  const double steps_to_max = round(max / scale);
  const double error_at_min = round(quant_min + steps_to_min);
  const double error_at_max = round(quant_max + steps_to_max);
  const double zero_point =
      round(error_at_min + error_at_max) > 0 ? round(quant_min - steps_to_min) : round(quant_max - steps_to_max);
  return {scale, round_half_even(clamp_keep_nan(zero_point, round(quant_min), round(quant_max)))};
}

QuantRange checked_quant_range(const char* where, DType dtype, std::optional<int64_t> quant_min,
                               std::optional<int64_t> quant_max) {
  if (!(is_integer(dtype) && bits_of(dtype) <= 32) && !is_float8(dtype)) {
    throw Error({.where = where,
                 .what = fmt::format("{} is no dtype of codes", dtype_name(dtype)),
                 .allowed = "int1 to int8, uint1 to uint8, int16, uint16, int32, uint32, float8 dtypes"});
  }
  const auto largest = is_float8(dtype) ? static_cast<int64_t>(float8_max(dtype)) : 0;
  const QuantRange bounds = is_float8(dtype) ? QuantRange{-largest, largest} : quant_range(dtype);
  const QuantRange range = {quant_min.value_or(bounds.min), quant_max.value_or(bounds.max)};
  if (range.min < bounds.min || range.max > bounds.max || range.min >= range.max) {
    throw Error({.where = where,
                 .what = fmt::format("quant_min {} and quant_max {} are no range of {}", range.min, range.max,
                                     dtype_name(dtype)),
                 .allowed = fmt::format("{} <= quant_min < quant_max <= {}", bounds.min, bounds.max)});
  }
  return range;
}

void block_min_max(const ConstArray& input, const BlockLayout& layout, const Array& min, const Array& max) {
  assert(input.size == layout.num_elements());
  assert(min.size == layout.num_blocks() && max.size == layout.num_blocks());
  if (input.dtype == DType::kFloat64) return block_min_max_in<double>(input, layout, min, max);
  block_min_max_in<float>(input, layout, min, max);
}

}  // namespace torquant
