#include "torquant/kernels/multiply/multiply.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "torquant/kernels/multiply/multiply_internal.h"

namespace torquant {
namespace {

class Multiply : public testing::TestWithParam<MultiplyKernel> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam().isa);
  }
};

TEST_P(Multiply, GivesTheReferenceAlsoInPlace) {
  std::mt19937 random(9);
  for (size_t count = 0; count < 70; ++count) {
    std::vector<uint8_t> a(count + 1, 77), b(count + 1), output(count + 1, 77);
    for (size_t i = 0; i < count; ++i) a[i] = static_cast<uint8_t>(random()), b[i] = static_cast<uint8_t>(random());
    if (count > 1) a[0] = 255, b[0] = 255, a[1] = 0, b[1] = 255;  // the largest products
    std::vector<uint8_t> expected = output;
    for (size_t i = 0; i < count; ++i) {
      const auto product = static_cast<float>((a[i] - 3) * (b[i] - 130));
      expected[i] = static_cast<uint8_t>(std::clamp(std::nearbyint(std::fma(product, 0.017f, 101.0f)), 5.0f, 250.0f));
    }
    MultiplyArgs args{.count = count,
                      .a = a.data(),
                      .b = b.data(),
                      .output = output.data(),
                      .a_zero_point = 3,
                      .b_zero_point = 130,
                      .multiplier = 0.017f,
                      .offset = 101,
                      .lo = 5,
                      .hi = 250};
    GetParam().run(args);
    EXPECT_EQ(output, expected) << count;
    args.output = a.data();
    GetParam().run(args);
    EXPECT_EQ(a, expected) << count << ", in place";
  }
}

std::vector<MultiplyKernel> all_kernels() {
  return {
#define TORQUANT_MULTIPLY_KERNEL(function, isa) {#function, CpuIsa::isa, function},
#include "torquant/kernels/multiply/kernels.inc"
#undef TORQUANT_MULTIPLY_KERNEL
  };
}

INSTANTIATE_TEST_SUITE_P(All, Multiply, testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SelectMultiply, TakesOneThatTheIsaRuns) {
  EXPECT_EQ(select_multiply(CpuIsa::kScalar).isa, CpuIsa::kScalar);
#if defined(__x86_64__)
  EXPECT_EQ(select_multiply(CpuIsa::kAvx512Vnni).isa, CpuIsa::kAvx2);
#elif defined(__aarch64__)
  EXPECT_EQ(select_multiply(CpuIsa::kNeonDot).isa, CpuIsa::kNeonDot);
#endif
}

}  // namespace
}  // namespace torquant
