#include "torquant/kernels/add/add.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "torquant/kernels/add/add_internal.h"

namespace torquant {
namespace {

class Add : public testing::TestWithParam<AddKernel> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam().isa);
  }
};

TEST_P(Add, GivesTheReferenceAlsoInPlace) {
  std::mt19937 random(9);
  for (size_t count = 0; count < 70; ++count) {
    std::vector<uint8_t> a(count + 1, 77), b(count + 1), output(count + 1, 77);
    for (size_t i = 0; i < count; ++i) a[i] = static_cast<uint8_t>(random()), b[i] = static_cast<uint8_t>(random());
    std::vector<uint8_t> expected = output;
    for (size_t i = 0; i < count; ++i) {
      const float steps = std::fma(float{a[i] * 1.0f}, 0.71f, std::fma(float{b[i] * 1.0f}, 0.33f, -8.25f));
      expected[i] = static_cast<uint8_t>(std::clamp(std::nearbyint(steps), 5.0f, 250.0f));
    }
    AddArgs args{.count = count,
                 .a = a.data(),
                 .b = b.data(),
                 .output = output.data(),
                 .a_multiplier = 0.71f,
                 .b_multiplier = 0.33f,
                 .offset = -8.25f,
                 .lo = 5,
                 .hi = 250};
    GetParam().run(args);
    EXPECT_EQ(output, expected) << count;
    args.output = a.data();
    GetParam().run(args);
    EXPECT_EQ(a, expected) << count << ", in place";
  }
}

std::vector<AddKernel> all_kernels() {
  return {
#define TORQUANT_ADD_KERNEL(function, isa) {#function, CpuIsa::isa, function},
#include "torquant/kernels/add/kernels.inc"
#undef TORQUANT_ADD_KERNEL
  };
}

INSTANTIATE_TEST_SUITE_P(All, Add, testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SelectAdd, TakesOneThatTheIsaRuns) {
  EXPECT_EQ(select_add(CpuIsa::kScalar).isa, CpuIsa::kScalar);
#if defined(__x86_64__)
  EXPECT_EQ(select_add(CpuIsa::kAvx512Vnni).isa, CpuIsa::kAvx2);
#elif defined(__aarch64__)
  EXPECT_EQ(select_add(CpuIsa::kNeonDot).isa, CpuIsa::kNeonDot);
#endif
}

}  // namespace
}  // namespace torquant
