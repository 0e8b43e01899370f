#include "torquant/kernels/windows/windows.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "torquant/core/packed_floats.h"
#include "torquant/kernels/windows/windows_internal.h"

namespace torquant {
namespace {

using Floats = std::vector<float>;
using Axis = WindowsArgs::Axis;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr WindowsKernels kKernels[] = {
#define TORQUANT_WINDOWS_KERNELS(suffix, isa) \
  {#suffix, CpuIsa::isa, depthwise_windows_##suffix, max_windows_##suffix, mean_windows_##suffix},
#include "torquant/kernels/windows/kernels.inc"
#undef TORQUANT_WINDOWS_KERNELS
};

enum class What { kDepthwise, kMax, kMean };

struct Case {
  size_t channels, height, width;
  Axis rows, columns;
  bool residual = false, clamps = false;

  static size_t output_size(const Axis& axis, size_t size) {
    return (size + 2 * axis.padding - (axis.kernel - 1) * axis.dilation - 1) / axis.stride + 1;
  }
  size_t output_height() const { return output_size(rows, height); }
  size_t output_width() const { return output_size(columns, width); }
  size_t taps() const { return rows.kernel * columns.kernel; }
};

struct Data {
  Floats input, weight, bias, residual, packed_weights, packed_bias;
  explicit Data(const Case& c) {
    std::mt19937 random(static_cast<uint32_t>(c.channels * 131 + c.width));
    const auto fill = [&](Floats& numbers, size_t count) {
      for (size_t i = 0; i < count; ++i) numbers.push_back(std::uniform_real_distribution<float>(-1, 1)(random));
    };
    fill(input, c.height * c.width * c.channels);
    fill(weight, c.channels * c.taps());
    fill(bias, c.channels);
    fill(residual, c.output_height() * c.output_width() * c.channels);
    const PackedFloatsShape shape{.channels = c.channels, .inputs = 1, .taps = c.taps()};
    packed_weights.resize(shape.floats());
    pack_floats(shape, weight.data(), packed_weights.data());
    packed_bias = bias;
    packed_bias.resize(shape.panels() * 16, 0);
  }
};

// K12 as it stands.
Floats expected(What what, const Case& c, const Data& data) {
  Floats output;
  const auto inside = [](const Axis& axis, size_t at, size_t tap, size_t size, size_t& place) {
    place = at * axis.stride + tap * axis.dilation - axis.padding;  // wraps around where it is below 0
    return place < size;
  };
  for (size_t y = 0; y < c.output_height(); ++y) {
    for (size_t x = 0; x < c.output_width(); ++x) {
      for (size_t n = 0; n < c.channels; ++n) {
        float result = what == What::kDepthwise ? data.bias[n] : what == What::kMax ? -kInfinity : 0;
        for (size_t tap = 0; tap < c.taps(); ++tap) {
          size_t row = 0, column = 0;
          if (!inside(c.rows, y, tap / c.columns.kernel, c.height, row) ||
              !inside(c.columns, x, tap % c.columns.kernel, c.width, column))
            continue;
          const float number = data.input[(row * c.width + column) * c.channels + n];
          result = what == What::kDepthwise ? std::fma(number, data.weight[n * c.taps() + tap], result)
                   : what == What::kMax     ? std::max(result, number)
                                            : result + number;
        }
        if (what == What::kMean) result /= static_cast<float>(c.taps());
        if (what == What::kDepthwise && c.residual) result += data.residual[output.size()];
        if (what == What::kDepthwise && c.clamps) result = std::min(std::max(result, -0.25f), 0.5f);
        output.push_back(result);
      }
    }
  }
  return output;
}

Floats computed(const WindowsKernels& kernels, What what, const Case& c, const Data& data) {
  Floats output(c.output_height() * c.output_width() * c.channels, 12345);
  const auto run = what == What::kDepthwise ? kernels.depthwise : what == What::kMax ? kernels.max : kernels.mean;
  const size_t rows = c.output_height(), half = rows / 2;
  for (const auto& [begin, end] : {std::pair(half, rows), std::pair(size_t{0}, half)}) {  // as two threads do
    run({.channels = c.channels,
         .height = c.height,
         .width = c.width,
         .input = data.input.data(),
         .rows = c.rows,
         .columns = c.columns,
         .output_width = c.output_width(),
         .row_begin = begin,
         .row_end = end,
         .output = output.data(),
         .weights = data.packed_weights.data(),
         .bias = data.packed_bias.data(),
         .residual = c.residual ? data.residual.data() : nullptr,
         .lo = c.clamps ? -0.25f : -kInfinity,
         .hi = c.clamps ? 0.5f : kInfinity});
  }
  return output;
}

class EachWindows : public testing::TestWithParam<WindowsKernels> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU has no " << name_of(GetParam().isa);
  }
  static void expect_exact(What what, const Case& c) {
    const Data data(c);
    const Floats made = computed(GetParam(), what, c, data), wanted = expected(what, c, data);
    ASSERT_EQ(made.size(), wanted.size());
    for (size_t i = 0; i < made.size(); ++i)
      ASSERT_EQ(std::bit_cast<uint32_t>(made[i]), std::bit_cast<uint32_t>(wanted[i]))
          << "channel " << i % c.channels << " of " << c.channels << ", pixel " << i / c.channels << ", "
          << c.rows.kernel << "x" << c.columns.kernel << ": " << made[i] << ", not " << wanted[i];
  }
  static void expect_exact(const Case& c) {
    for (const What what : {What::kDepthwise, What::kMax, What::kMean}) expect_exact(what, c);
  }
};

TEST_P(EachWindows, GivesTheFormulasBitsForAllChannels) {
  for (size_t channels = 1; channels <= 35; ++channels)
    expect_exact({channels, 5, 11, {.kernel = 3, .padding = 1}, {.kernel = 3, .padding = 1}});
}

TEST_P(EachWindows, GivesTheFormulasBitsForAllWidths) {
  for (size_t width = 1; width <= 24; ++width) {
    expect_exact({20, 4, width, {.kernel = 3, .padding = 1}, {.kernel = 3, .padding = 1}});
    expect_exact({20, 4, width, {.kernel = 3, .stride = 2, .padding = 1}, {.kernel = 3, .stride = 2, .padding = 1}});
  }
}

TEST_P(EachWindows, GivesTheFormulasBitsForAllWindows) {
  for (const size_t kernel : {1, 2, 4, 5, 7}) {
    for (const size_t stride : {1, 3}) {
      for (const size_t dilation : {1, 2}) {
        const size_t padding = (kernel - 1) * dilation / 2;
        const Axis axis{kernel, stride, padding, dilation};
        expect_exact({18, 15, 14, axis, {.kernel = 3, .padding = 2}});
        expect_exact({18, 15, 14, {.kernel = 2}, axis});
      }
    }
  }
}

TEST_P(EachWindows, KnowsWindowsThatAreAllOutside) {  // behind the image, as ceil_mode makes them, or in a hole
  expect_exact({17, 2, 3, {.kernel = 2, .padding = 2, .dilation = 4}, {.kernel = 2, .padding = 2, .dilation = 4}});
}

TEST_P(EachWindows, AddsAResidualAndClamps) {
  const Axis axis{.kernel = 3, .padding = 1};
  expect_exact(What::kDepthwise, {19, 6, 9, axis, axis, true, false});
  expect_exact(What::kDepthwise, {19, 6, 9, axis, axis, false, true});
  expect_exact(What::kDepthwise, {19, 6, 9, axis, axis, true, true});
}

INSTANTIATE_TEST_SUITE_P(Windows, EachWindows, testing::ValuesIn(kKernels),
                         [](const auto& kernels) { return std::string(kernels.param.name); });

TEST(SelectWindows, TakesTheBestThatTheCpuRuns) {
  EXPECT_EQ(select_windows_kernels(CpuIsa::kScalar).isa, CpuIsa::kScalar);
  EXPECT_EQ(select_windows_kernels(kKernels[0].isa).isa, kKernels[0].isa);
}

}  // namespace
}  // namespace torquant
