#include "torquant/kernels/pool/average_pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace torquant {
namespace {

// Means of 2 x 3 windows, one step apart, of an image of 4 x 5 with a pixel of padding above and two to its left.
TEST(AveragePool, CountsPaddingAsZeros) {
  constexpr size_t kChannels = 70, kHeight = 4, kWidth = 5, kOutHeight = 4, kOutWidth = 5;
  constexpr int kZeroPoint = 9;
  std::mt19937 random(3);
  std::vector<uint8_t> input(kHeight * kWidth * kChannels), output(kOutHeight * kOutWidth * kChannels, 1);
  for (uint8_t& code : input) code = static_cast<uint8_t>(random());
  average_pool({.channels = kChannels,
                .in_height = kHeight,
                .in_width = kWidth,
                .kernel_height = 2,
                .kernel_width = 3,
                .stride_height = 1,
                .stride_width = 1,
                .padding_height = 1,
                .padding_width = 2,
                .input = input.data(),
                .in_row_bytes = kWidth * kChannels,
                .in_pixel_bytes = kChannels,
                .zero_point = kZeroPoint,
                .multiplier = 0.15f,
                .offset = 20,
                .lo = 3,
                .hi = 180,
                .out_width = kOutWidth,
                .out_begin = 1,
                .out_end = kOutHeight,
                .output = output.data(),
                .out_row_bytes = kOutWidth * kChannels,
                .out_pixel_bytes = kChannels});
  for (int y = 0; y < static_cast<int>(kOutHeight); ++y) {
    for (int x = 0; x < static_cast<int>(kOutWidth); ++x) {
      for (size_t c = 0; c < kChannels; ++c) {
        int sum = 0;
        for (int i = y - 1; i < y + 1; ++i) {
          for (int j = x - 2; j < x + 1; ++j) {
            if (i < 0 || j < 0 || i >= static_cast<int>(kHeight) || j >= static_cast<int>(kWidth)) continue;
            sum += input[(static_cast<size_t>(i) * kWidth + static_cast<size_t>(j)) * kChannels + c] - kZeroPoint;
          }
        }
        const float real = std::nearbyint(std::fma(static_cast<float>(sum), 0.15f, 20.0f));
        const float expected = y == 0 ? 1 : std::fmin(std::fmax(real, 3), 180);  // row 0 was not asked for
        EXPECT_EQ(output[(static_cast<size_t>(y) * kOutWidth + static_cast<size_t>(x)) * kChannels + c], expected)
            << y << " " << x << " " << c;
      }
    }
  }
}

}  // namespace
}  // namespace torquant
