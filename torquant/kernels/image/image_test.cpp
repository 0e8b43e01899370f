#include "torquant/kernels/image/image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "torquant/kernels/image/image_internal.h"

namespace torquant {
namespace {

class Image : public testing::TestWithParam<ImageKernels> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam().isa);
  }
};

// Of an image of which some rows are left to others.
size_t channel_step(size_t height, size_t width) { return height * width + 2 * width; }

ImageArgs args_of(size_t channels, size_t height, size_t width, size_t pixel_bytes, std::vector<float>& numbers,
                  std::vector<uint8_t>& codes) {
  return {.channels = channels,
          .height = height,
          .width = width,
          .numbers = numbers.data(),
          .channel_step = channel_step(height, width),
          .codes = codes.data() + 40,
          .row_bytes = width * pixel_bytes + 16,
          .pixel_bytes = pixel_bytes,
          .scale = 0.1f,
          .inverse_scale = static_cast<float>(1.0 / 0.1),
          .zero_point = 120,
          .lo = 3,
          .hi = 250};
}

TEST_P(Image, QuantizesAsPyTorchDoes) {
  for (const size_t channels : {1, 2, 3, 4, 5, 20}) {
    for (const size_t width : {1, 7, 8, 24, 33}) {
      const size_t height = 3, pixel_bytes = channels + (width == 33 ? 2 : 0);
      std::mt19937 random(static_cast<uint32_t>(width));
      std::vector<float> numbers(channels * channel_step(height, width));
      for (float& number : numbers) number = static_cast<float>(static_cast<int>(random() % 4000) - 2000) / 100;
      numbers[0] = std::numeric_limits<float>::infinity();
      if (numbers.size() > 4) numbers[1] = -1e30f, numbers[2] = 1e30f, numbers[3] = 0.25f, numbers[4] = std::nanf("");
      std::vector<uint8_t> codes(height * (width * pixel_bytes + 16) + 80, 77);
      const ImageArgs args = args_of(channels, height, width, pixel_bytes, numbers, codes);
      GetParam().quantize(args);
      for (size_t c = 0; c < channels; ++c) {
        for (size_t y = 0; y < height; ++y) {
          for (size_t x = 0; x < width; ++x) {
            const float number = numbers[c * channel_step(height, width) + y * width + x];
            const float expected =
                std::isnan(number) ? 3 : std::clamp(std::nearbyint(number * args.inverse_scale) + 120, 3.0f, 250.0f);
            EXPECT_EQ(args.codes[y * args.row_bytes + x * pixel_bytes + c], expected) << number;
          }
        }
      }
      EXPECT_EQ(codes[39], 77);
      for (size_t y = 0; y < height; ++y) EXPECT_EQ(args.codes[y * args.row_bytes + width * pixel_bytes], 77);
    }
  }
}

TEST_P(Image, GivesTheNumbersOfCodesBack) {
  std::vector<float> numbers(6 * channel_step(4, 9), 77.0f);
  std::vector<uint8_t> codes(4 * (9 * 8 + 16) + 80);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i);
  const ImageArgs args = args_of(6, 4, 9, 8, numbers, codes);
  GetParam().dequantize(args);
  for (size_t c = 0; c < 6; ++c) {
    for (size_t y = 0; y < 4; ++y) {
      for (size_t x = 0; x < 9; ++x) {
        const int code = args.codes[y * args.row_bytes + x * 8 + c];
        EXPECT_EQ(numbers[c * channel_step(4, 9) + y * 9 + x], static_cast<float>(code - 120) * 0.1f);
      }
    }
    EXPECT_EQ(numbers[c * channel_step(4, 9) + 4 * 9], 77.0f);
  }
}

std::vector<ImageKernels> all_kernels() {
  return {
#define TORQUANT_IMAGE_KERNELS(suffix, isa) {#suffix, CpuIsa::isa, quantize_image_##suffix, dequantize_image_##suffix},
#include "torquant/kernels/image/kernels.inc"
#undef TORQUANT_IMAGE_KERNELS
  };
}

INSTANTIATE_TEST_SUITE_P(All, Image, testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SelectImageKernels, TakesThoseThatTheIsaRuns) {
  EXPECT_EQ(select_image_kernels(CpuIsa::kScalar).isa, CpuIsa::kScalar);
#if defined(__x86_64__)
  EXPECT_EQ(select_image_kernels(CpuIsa::kAvx512Vnni).isa, CpuIsa::kAvx2);
#elif defined(__aarch64__)
  EXPECT_EQ(select_image_kernels(CpuIsa::kNeonDot).isa, CpuIsa::kNeonDot);
#endif
}

}  // namespace
}  // namespace torquant
