#include "torquant/lower/runtime_moves.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

namespace torquant::runtime_lowering {
namespace {

using Ints = std::vector<int64_t>;

at::Tensor counted(const Ints& sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return at::arange(count, at::kLong).reshape(sizes);
}

TEST(AsRearrange, FindsTheDigits) {
  const auto transposed = as_rearrange(counted({1, 3, 4}).transpose(1, 2));
  ASSERT_TRUE(transposed.has_value());
  EXPECT_EQ(transposed->sizes, (Ints{4, 3}));
  EXPECT_EQ(transposed->steps, (Ints{1, 4}));
  const auto inner = as_rearrange(counted({1, 5, 6}).slice(1, 1, 5, 2).slice(2, 2, 5));
  ASSERT_TRUE(inner.has_value());
  EXPECT_EQ(inner->begin, 8);
  EXPECT_EQ(inner->sizes, (Ints{2, 3}));
  EXPECT_EQ(inner->steps, (Ints{12, 1}));
  const auto repeated = as_rearrange(counted({1, 2, 1}).expand({1, 2, 3}));
  ASSERT_TRUE(repeated.has_value());
  EXPECT_EQ(repeated->sizes, (Ints{2, 3}));
  EXPECT_EQ(repeated->steps, (Ints{1, 0}));
}

TEST(AsRearrange, OneElementHasNoDigits) {
  const auto one = as_rearrange(counted({1, 7}).slice(1, 4, 5));
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->begin, 4);
  EXPECT_TRUE(one->sizes.empty());
}

TEST(AsRearrange, GivesNothingForPlacesWithoutPattern) {
  EXPECT_FALSE(as_rearrange(at::tensor({0, 1, 2, 4, 5, 7}, at::kLong)).has_value());
  EXPECT_FALSE(as_rearrange(at::tensor({0, 1, 3}, at::kLong)).has_value());
}

}  // namespace
}  // namespace torquant::runtime_lowering
