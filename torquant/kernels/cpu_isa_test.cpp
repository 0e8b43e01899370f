#include "torquant/kernels/cpu_isa.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace torquant {
namespace {

class ForcedIsa : public testing::Test {
 protected:
  void TearDown() override { unsetenv("TORQUANT_FORCE_ISA"); }
  static Result<CpuIsa> choose(const char* forced) {
    setenv("TORQUANT_FORCE_ISA", forced, 1);
    return choose_cpu_isa();
  }
};

TEST_F(ForcedIsa, IsTheOneThatIsChosen) {
  for (const CpuIsa isa : {CpuIsa::kScalar, CpuIsa::kAvx2, CpuIsa::kAvx512Vnni, CpuIsa::kNeonDot}) {
    const Result<CpuIsa> chosen = choose(std::string(name_of(isa)).c_str());
    ASSERT_EQ(chosen.ok(), cpu_has(isa)) << name_of(isa);
    if (chosen.ok()) {
      EXPECT_EQ(*chosen, isa);
    } else {
      EXPECT_EQ(chosen.error().what, "this CPU lacks " + std::string(name_of(isa)));
      EXPECT_NE(chosen.error().allowed.find("scalar"), std::string::npos);
    }
  }
}

TEST_F(ForcedIsa, OfNoKnownNameIsAnError) {
  for (const char* name : {"", "AVX2", "sse"}) {
    const Result<CpuIsa> chosen = choose(name);
    ASSERT_FALSE(chosen.ok()) << name;
    EXPECT_EQ(chosen.error().what, "\"" + std::string(name) + "\" is no instruction set that kernels are written for");
  }
}

TEST_F(ForcedIsa, IsTheBestIfNothingIsForced) {
  unsetenv("TORQUANT_FORCE_ISA");
  const Result<CpuIsa> best = choose_cpu_isa();
  ASSERT_TRUE(best.ok());
  for (const CpuIsa isa : {CpuIsa::kScalar, CpuIsa::kAvx2, CpuIsa::kAvx512Vnni, CpuIsa::kNeonDot}) {
    if (cpu_has(isa)) EXPECT_TRUE(includes(*best, isa)) << name_of(isa);
  }
}

}  // namespace
}  // namespace torquant
