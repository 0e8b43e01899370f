#include "torquant/runtime/roof.h"

#include <gtest/gtest.h>

namespace torquant::runtime {
namespace {

// No figure of a machine is right or wrong; these are out of reach for any.
TEST(Roof, IsANumberThatAMachineCanHave) {
  const Roof roof = measure_roof(CpuIsa::kScalar, 2);
  EXPECT_GT(roof.macs, 1e6);
  EXPECT_LT(roof.macs, 1e14);
  EXPECT_GT(roof.float_macs, 1e6);
  EXPECT_LT(roof.float_macs, 1e14);
  EXPECT_GT(roof.read_bytes, 1e7);
  EXPECT_LT(roof.read_bytes, 1e14);
}

}  // namespace
}  // namespace torquant::runtime
