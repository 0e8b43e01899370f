#include "torquant/observer/finite.h"

#include <gtest/gtest.h>

#include <limits>

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

namespace torquant {
namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInf = std::numeric_limits<float>::infinity();

TEST(FiniteRange, OfFiniteDataIsItsRangeAndTheDataItself) {
  const at::Tensor x = at::tensor({3.0f, -1.0f, 2.0f});
  const FiniteRange range = finite_range(x);
  EXPECT_TRUE(range.values.is_same(x));
  EXPECT_EQ(range.min.item<float>(), -1.0f);
  EXPECT_EQ(range.max.item<float>(), 3.0f);
  EXPECT_EQ(range.nonfinite, 0);
}

TEST(FiniteRange, CountsAndLeavesOutTheRest) {
  const FiniteRange range = finite_range(at::tensor({kInf, 1.0f, kNan, -2.0f, -kInf}));
  EXPECT_TRUE(at::equal(range.values, at::tensor({1.0f, -2.0f})));
  EXPECT_EQ(range.min.item<float>(), -2.0f);
  EXPECT_EQ(range.max.item<float>(), 1.0f);
  EXPECT_EQ(range.nonfinite, 3);
}

TEST(FiniteRange, OfNothingFiniteIsUndefined) {
  const FiniteRange range = finite_range(at::full({4}, kNan));
  EXPECT_FALSE(range.values.defined());
  EXPECT_EQ(range.nonfinite, 4);
}

TEST(FiniteRangePerRow, EachRowLeavesOutItsOwn) {
  const at::Tensor x = at::tensor({1.0f, 2.0f, kNan, 5.0f, kInf, -kInf}).reshape({3, 2});
  const FiniteRangePerRow range = finite_range_per_row(x);
  EXPECT_TRUE(at::equal(range.min, at::tensor({1.0f, 5.0f, kInf})));
  EXPECT_TRUE(at::equal(range.max, at::tensor({2.0f, 5.0f, -kInf})));
  EXPECT_EQ(range.nonfinite, 3);
}

TEST(FiniteRangePerRow, OfFiniteDataIsItsRange) {
  const FiniteRangePerRow range = finite_range_per_row(at::tensor({1.0f, 2.0f, 4.0f, 3.0f}).reshape({2, 2}));
  EXPECT_TRUE(at::equal(range.min, at::tensor({1.0f, 3.0f})));
  EXPECT_TRUE(at::equal(range.max, at::tensor({2.0f, 4.0f})));
  EXPECT_EQ(range.nonfinite, 0);
}

}  // namespace
}  // namespace torquant
