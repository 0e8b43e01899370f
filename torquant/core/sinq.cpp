#include "torquant/core/sinq.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "torquant/core/array.h"
#include "torquant/core/float_formats.h"
#include "torquant/core/rounding.h"

namespace torquant {
namespace {

constexpr double kFloor = 1e-8;

float max_nan(float x, float floor) { return x < floor ? floor : x; }

// Unbiased standard deviation of `count` values, accumulated in double.
float standard_deviation(const float* values, int64_t count, int64_t stride) {
  double mean = 0;
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) {  // Welford
    const double delta = values[i * stride] - mean;
    mean += delta / static_cast<double>(i + 1);
    squares += delta * (values[i * stride] - mean);
  }
  return static_cast<float>(std::sqrt(squares / static_cast<double>(count - 1)));
}

float smallest(std::span<const float> values) {
  float least = values[0];
  for (const float value : values) least = std::isnan(least) || value > least ? least : value;
  return least;
}

class Matrix {
 public:
  Matrix(const SinqArgs& args, std::span<const float> values) : args_(args), values_(values.begin(), values.end()) {}

  std::vector<float> column_deviations() const {
    std::vector<float> result(args_.cols);
    for (int64_t c = 0; c < args_.cols; ++c) {
      result[c] = round(standard_deviation(values_.data() + c, args_.rows, args_.cols));
    }
    return result;
  }
  std::vector<float> row_deviations() const {
    std::vector<float> result(args_.rows);
    for (int64_t r = 0; r < args_.rows; ++r) {
      result[r] = round(standard_deviation(values_.data() + r * args_.cols, args_.cols, 1));
    }
    return result;
  }

  // Divides element (r, c) by divisor(r, c).
  template <class Divisor>
  void divide(Divisor divisor) {
    for (int64_t r = 0; r < args_.rows; ++r) {
      for (int64_t c = 0; c < args_.cols; ++c) {
        float& value = values_[r * args_.cols + c];
        value = round(value / divisor(r, c));
      }
    }
  }

  float at(int64_t r, int64_t c) const { return values_[r * args_.cols + c]; }

 private:
  float round(float value) const { return round_to(value, args_.compute); }

  const SinqArgs& args_;
  std::vector<float> values_;
};

}  // namespace

void sinq_quantize(const SinqArgs& args, std::span<const float> weight, std::span<int8_t> codes,
                   std::span<float> row_scale, std::span<float> col_scale) {
  assert(static_cast<int64_t>(weight.size()) == args.rows * args.cols && codes.size() == weight.size());
  const auto round = [&](float value) { return round_to(value, args.compute); };
  const float floor = round(static_cast<float>(kFloor));
  Matrix matrix(args, weight);

  const float least_column = smallest(matrix.column_deviations());
  const float least_row = smallest(matrix.row_deviations());
  const double least = least_row < least_column ? least_row : least_column;
  const auto target = static_cast<float>(least < kFloor ? kFloor : least);

  // The divisors that bring every deviation to `target`, and their product over the iterations.
  const auto normalise = [&](std::vector<float> deviations, std::span<float> product) {
    for (size_t i = 0; i < deviations.size(); ++i) {
      deviations[i] = max_nan(round(deviations[i] / target), floor);
      product[i] = round(product[i] * deviations[i]);
    }
    return deviations;
  };
  std::ranges::fill(row_scale, 1.0f);
  std::ranges::fill(col_scale, 1.0f);
  for (int i = 0; i < args.iterations; ++i) {
    const std::vector<float> by_column = normalise(matrix.column_deviations(), col_scale);
    matrix.divide([&](int64_t, int64_t c) { return by_column[c]; });
    const std::vector<float> by_row = normalise(matrix.row_deviations(), row_scale);
    matrix.divide([&](int64_t r, int64_t) { return by_row[r]; });
  }

  std::vector<float> row_codes(args.cols);
  for (int64_t r = 0; r < args.rows; ++r) {
    float absmax = std::fabs(matrix.at(r, 0));
    for (int64_t c = 1; c < args.cols; ++c) {
      const float magnitude = std::fabs(matrix.at(r, c));
      absmax = std::isnan(absmax) || magnitude <= absmax ? absmax : magnitude;
    }
    const float scale = max_nan(round(absmax / static_cast<float>(args.range.max)), floor);
    for (int64_t c = 0; c < args.cols; ++c) {
      row_codes[c] = clamp_keep_nan(round_half_even(round(matrix.at(r, c) / scale)), static_cast<float>(args.range.min),
                                    static_cast<float>(args.range.max));
    }
    store(row_codes.data(), codes.subspan(r * args.cols, args.cols), 0, args.cols);
    row_scale[r] = round(scale * row_scale[r]);
  }
}

}  // namespace torquant
