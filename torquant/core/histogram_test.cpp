#include "torquant/core/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace torquant {
namespace {

std::vector<float> normal_values(size_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(generator);
  return values;
}

TEST(CountBins, TheLastBinHoldsItsRightEdge) {
  const std::vector<float> x = {0.0f, 0.24f, 0.25f, 0.5f, 0.75f, 0.99f, 1.0f};
  std::vector<int64_t> counts(4);
  count_bins(x, 0.0f, 1.0f, counts);
  EXPECT_EQ(counts, (std::vector<int64_t>{2, 1, 1, 3}));
}

TEST(CountBins, AddsToTheCountsAndStaysInside) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {-0.1f, 0.1f, 1.1f, nan, inf, -inf};
  std::vector<int64_t> counts = {7, 0};
  count_bins(x, 0.0f, 1.0f, counts);
  EXPECT_EQ(counts, (std::vector<int64_t>{11, 2}));
}

// More equal elements than one 16-bit table can count.
TEST(CountBins, CountsBeyondSixteenBits) {
  const std::vector<float> x(1 << 20, 0.5f);
  std::vector<int64_t> counts(4);
  count_bins(x, 0.0f, 1.0f, counts);
  EXPECT_EQ(counts, (std::vector<int64_t>{0, 0, 1 << 20, 0}));
}

TEST(CountBins, OnePassEqualsAnySplit) {
  const std::vector<float> x = normal_values(5003, 1);
  std::vector<int64_t> whole(100);
  count_bins(x, -5.0f, 5.0f, whole);
  EXPECT_EQ(std::accumulate(whole.begin(), whole.end(), int64_t{0}), 5003);
  for (const size_t cut : {1u, 511u, 512u, 513u, 5002u}) {
    std::vector<int64_t> parts(100);
    count_bins(std::span(x).first(cut), -5.0f, 5.0f, parts);
    count_bins(std::span(x).subspan(cut), -5.0f, 5.0f, parts);
    EXPECT_EQ(parts, whole) << cut;
  }
}

TEST(Rebin, EachPartFallsWhereItsMiddleIs) {
  const std::vector<float> old_bins = {16.0f, 32.0f};  // of [0, 2]: parts of 1 and 2
  std::vector<float> middle(2 * kBinParts);
  for (size_t i = 0; i < middle.size(); ++i) middle[i] = (static_cast<float>(i) + 0.5f) / kBinParts;
  const std::vector<float> edges = {-1.0f, 0.5f, 2.0f};
  std::vector<float> new_bins(2);
  rebin(old_bins, middle, edges, new_bins);
  EXPECT_EQ(new_bins, (std::vector<float>{8.0f, 40.0f}));  // 8 parts lie under 0.5
}

TEST(Rebin, PartsOutsideGoToTheNearestBin) {
  const std::vector<float> old_bins = {16.0f, 16.0f};
  std::vector<float> middle(2 * kBinParts);
  for (size_t i = 0; i < middle.size(); ++i) middle[i] = (static_cast<float>(i) + 0.5f) / kBinParts;
  const std::vector<float> edges = {0.5f, 0.75f, 1.0f};
  std::vector<float> new_bins(2);
  rebin(old_bins, middle, edges, new_bins);
  EXPECT_EQ(new_bins, (std::vector<float>{12.0f, 20.0f}));  // 8 below 0.5 and 4 up to 0.75; 4 up to 1 and 16 above
}

// One source bin, one code as wide: the integral of x^2 over [-w/2, w/2] times density, that is mass * w^2 / 12.
TEST(QuantizationError, OfOneCodeIsItsVariance) {
  const std::vector<float> density = {3.0f / 0.5f};
  std::vector<float> error(1);
  quantization_error({.density = density, .bin_width = 0.5, .start = 0, .end = 0, .codes = 1}, error);
  EXPECT_NEAR(error[0], 3.0 * 0.5 * 0.5 / 12, 1e-7);
}

// What lies outside start..end is clamped to the first and last code: its error is measured from their centers.
TEST(QuantizationError, OutsideIsMeasuredFromTheLastCode) {
  const std::vector<float> density = {0.0f, 0.0f, 0.0f, 1.0f};
  std::vector<float> error(4);
  quantization_error({.density = density, .bin_width = 1.0, .start = 0, .end = 1, .codes = 2}, error);
  EXPECT_FLOAT_EQ(error[3], (std::pow(2.5f, 3.0f) - std::pow(1.5f, 3.0f)) / 3.0f);  // from 1.5, the center of code 1
  EXPECT_EQ(error[0], 0.0f);
}

// The expected codes are floors of quotients in long double, whose 64 bits tell any two such quotients apart.
TEST(QuantizationError, CodesAreExactAtEveryWidth) {
  std::mt19937 generator(7);
  std::uniform_real_distribution<double> exponent(-40, 28);  // cubes of 2048 bins stay finite
  for (int round = 0; round < 300; ++round) {
    const double width = std::exp2(exponent(generator));
    const int64_t bins = 2048;
    const auto start = static_cast<int64_t>(generator() % 1000);
    const auto end = start + static_cast<int64_t>(generator() % 1000);
    const std::vector<float> density(bins, 1.0f);
    std::vector<float> error(bins);
    quantization_error({.density = density, .bin_width = width, .start = start, .end = end, .codes = 256}, error);

    const double step = width * static_cast<double>(end - start + 1) / 256;
    const auto code_width = static_cast<float>(step);
    const auto half = static_cast<float>(step / 2);
    const auto code_of = [&](float a) {
      const long double code = std::floor(static_cast<long double>(a) / code_width);
      return static_cast<float>(std::min(std::max(code, 0.0L), 255.0L));
    };
    const auto moment = [](float b, float e) { return (e * e * e - b * b * b) / 3.0f; };
    for (int64_t i = 0; i < bins; ++i) {
      const float b = static_cast<float>(i - start) * static_cast<float>(width);
      const float e = b + static_cast<float>(width);
      const float first = code_of(b);
      const float last = code_of(e);
      float expected = moment(b - (first + 0.5f) * code_width, half);
      expected += (last - first - 1.0f) * moment(-half, half);
      expected += moment(-half, e - (last * code_width + half));
      ASSERT_EQ(error[static_cast<size_t>(i)], expected) << width << " " << start << " " << end << " " << i;
    }
  }
}

}  // namespace
}  // namespace torquant
