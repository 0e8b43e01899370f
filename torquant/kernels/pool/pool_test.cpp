#include "torquant/kernels/pool/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "torquant/kernels/pool/pool_internal.h"

namespace torquant {
namespace {

class Pool : public testing::TestWithParam<PoolKernels> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam().isa);
  }
};

std::vector<uint8_t> random_codes(size_t count) {
  std::mt19937 random(5);
  std::vector<uint8_t> codes(count);
  for (uint8_t& code : codes) code = static_cast<uint8_t>(random());
  return codes;
}

struct Shape {
  int size, kernel, stride, padding, dilation;
};

TEST_P(Pool, TakesTheGreatestCodeOfEachWindow) {
  for (const Shape how :
       {Shape{9, 3, 2, 1, 1}, Shape{8, 2, 2, 0, 1}, Shape{7, 3, 1, 1, 2}, Shape{5, 5, 3, 4, 1}, Shape{1, 3, 1, 1, 1}}) {
    for (const int channels : {1, 31, 32, 33, 64, 100}) {
      const int pixel = channels + 3, row = how.size * pixel + 7,
                out = (how.size + 2 * how.padding - (how.kernel - 1) * how.dilation - 1) / how.stride + 1;
      const std::vector<uint8_t> input = random_codes(static_cast<size_t>(how.size * row));
      const int out_pixel = channels + 1, out_row = out * out_pixel;
      std::vector<uint8_t> output(static_cast<size_t>(out * out_row), 77), expected = output;
      const auto u = [](int x) { return static_cast<size_t>(x); };
      const MaxPoolArgs args{u(channels),        u(how.size),   u(how.size),    u(how.kernel),  u(how.kernel),
                             u(how.stride),      u(how.stride), u(how.padding), u(how.padding), u(how.dilation),
                             u(how.dilation),    input.data(),  u(row),         u(pixel),       u(out),
                             u(out > 1 ? 1 : 0), u(out),        output.data(),  u(out_row),     u(out_pixel)};
      GetParam().max(args);
      for (int y = out > 1 ? 1 : 0; y < out; ++y) {
        for (int x = 0; x < out; ++x) {
          for (int c = 0; c < channels; ++c) {
            int most = 0;
            for (int i = 0; i < how.kernel; ++i) {
              for (int j = 0; j < how.kernel; ++j) {
                const int in_y = y * how.stride + i * how.dilation - how.padding,
                          in_x = x * how.stride + j * how.dilation - how.padding;
                if (in_y < 0 || in_x < 0 || in_y >= how.size || in_x >= how.size) continue;
                most = std::max<int>(most, input[u(in_y * row + in_x * pixel + c)]);
              }
            }
            expected[u(y * out_row + x * out_pixel + c)] = static_cast<uint8_t>(most);
          }
        }
      }
      EXPECT_EQ(output, expected) << channels << " channels, kernel " << how.kernel;
    }
  }
}

TEST_P(Pool, AveragesEachChannel) {
  for (const size_t channels : {1, 15, 16, 17, 100}) {
    for (const size_t planes : {1, 3}) {
      const size_t size = 7, pixel = channels + 2, row = size * pixel + 5, plane = size * row + 11;
      const int start = -static_cast<int>(planes) * 49 * 30;
      const float multiplier = 0.02f / static_cast<float>(planes);
      const std::vector<uint8_t> input = random_codes(planes * plane);
      std::vector<uint8_t> output(channels + 1, 77);
      GetParam().global_average({.channels = channels,
                                 .planes = planes,
                                 .height = size,
                                 .width = size,
                                 .input = input.data(),
                                 .plane_bytes = plane,
                                 .row_bytes = row,
                                 .pixel_bytes = pixel,
                                 .start = start,
                                 .multiplier = multiplier,
                                 .offset = 10.5f,
                                 .lo = 20,
                                 .hi = 240,
                                 .output = output.data()});
      for (size_t c = 0; c < channels; ++c) {
        int sum = start;
        for (size_t i = 0; i < planes * size * size; ++i)
          sum += input[i / (size * size) * plane + i / size % size * row + i % size * pixel + c];
        const float mean = std::fma(static_cast<float>(sum), multiplier, 10.5f);
        EXPECT_EQ(output[c], std::clamp(std::nearbyint(mean), 20.0f, 240.0f));
      }
      EXPECT_EQ(output[channels], 77);
    }
  }
}

std::vector<PoolKernels> all_kernels() {
  return {
#define TORQUANT_POOL_KERNELS(suffix, isa) {#suffix, CpuIsa::isa, max_pool_##suffix, global_average_pool_##suffix},
#include "torquant/kernels/pool/kernels.inc"
#undef TORQUANT_POOL_KERNELS
  };
}

INSTANTIATE_TEST_SUITE_P(All, Pool, testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SelectPoolKernels, TakesThoseThatTheIsaRuns) {
  EXPECT_EQ(select_pool_kernels(CpuIsa::kScalar).isa, CpuIsa::kScalar);
#if defined(__x86_64__)
  EXPECT_EQ(select_pool_kernels(CpuIsa::kAvx512Vnni).isa, CpuIsa::kAvx2);
#elif defined(__aarch64__)
  EXPECT_EQ(select_pool_kernels(CpuIsa::kNeonDot).isa, CpuIsa::kNeonDot);
#endif
}

}  // namespace
}  // namespace torquant
