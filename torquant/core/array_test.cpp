#include "torquant/core/array.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace torquant {
namespace {

// `values` stored as `dtype` and loaded again.
std::vector<double> through(DType dtype, std::vector<double> values) {
  std::vector<std::byte> bytes(values.size() * 8);
  const Array array(dtype, bytes.data(), static_cast<int64_t>(values.size()));
  store(values.data(), array, 0, array.size);
  load(array, 0, array.size, values.data());
  return values;
}

TEST(Array, EveryDtypeHoldsItsOwnValues) {
  for (const DType dtype : {DType::kInt4, DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64, DType::kFloat16,
                            DType::kBFloat16, DType::kFloat32, DType::kFloat64, DType::kFloat8E4M3FN}) {
    EXPECT_EQ(through(dtype, {0, 1, -2, 7}), (std::vector<double>{0, 1, -2, 7})) << dtype_name(dtype);
  }
  for (const DType dtype : {DType::kUInt3, DType::kUInt8, DType::kUInt16, DType::kUInt32, DType::kUInt64}) {
    EXPECT_EQ(through(dtype, {0, 1, 7}), (std::vector<double>{0, 1, 7})) << dtype_name(dtype);
  }
  EXPECT_EQ(through(DType::kBool, {0, 1, 5}), (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(through(DType::kInt32, {2147483647.0, -2147483648.0}), (std::vector<double>{2147483647.0, -2147483648.0}));
}

TEST(Array, CastsToIntegersAsPyTorchDoesOnX86) {
  EXPECT_EQ(through(DType::kInt8, {1.9, -1.9, 200, -129}), (std::vector<double>{1, -1, -56, 127}));
  EXPECT_EQ(through(DType::kUInt8, {255, 256, -1}), (std::vector<double>{255, 0, 255}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(through(DType::kInt8, {nan, 1e30}), (std::vector<double>{0, 0}));
  EXPECT_EQ(through(DType::kInt32, {nan, 2147483648.0}), (std::vector<double>{-2147483648.0, -2147483648.0}));
}

TEST(Array, LoadsFromTheMiddle) {
  const std::array<int16_t, 4> values = {1, -2, 3, -4};
  std::array<float, 2> loaded;
  load(std::span<const int16_t>(values), 1, 2, loaded.data());
  EXPECT_EQ(loaded, (std::array<float, 2>{-2, 3}));
  EXPECT_EQ(element(std::span<const int16_t>(values), 3), -4.0);
}

TEST(Promote, FollowsPyTorchForFloats) {
  EXPECT_EQ(promote(DType::kFloat16, DType::kFloat16), DType::kFloat16);
  EXPECT_EQ(promote(DType::kFloat16, DType::kBFloat16), DType::kFloat32);
  EXPECT_EQ(promote(DType::kBFloat16, DType::kFloat32), DType::kFloat32);
  EXPECT_EQ(promote(DType::kFloat64, DType::kFloat16), DType::kFloat64);
  EXPECT_EQ(promote(DType::kInt32, DType::kFloat16), DType::kFloat16);
  EXPECT_EQ(promote(DType::kFloat8E4M3FN, DType::kFloat32), DType::kFloat32);
  EXPECT_EQ(promote(DType::kInt8, DType::kInt32), DType::kInt64);
}

}  // namespace
}  // namespace torquant
