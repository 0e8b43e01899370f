#include "torquant/observer/moving_average.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

const float kInf = std::numeric_limits<float>::infinity();

TEST(MovingAverage, MovesByTheConstantsShare) {
  const MovingRange moved = move_average({at::tensor({-1.0f}), at::tensor({1.0f})},
                                         {at::tensor({-3.0f}), at::tensor({9.0f})}, /*averaging_constant=*/0.25);
  EXPECT_EQ(moved.min.item<float>(), -1.5f);
  EXPECT_EQ(moved.max.item<float>(), 3.0f);
}

TEST(MovingAverage, StartsAtTheFirstBatchAndStaysWhereOneSawNothing) {
  const MovingRange moved = move_average({at::tensor({kInf, -1.0f}), at::tensor({-kInf, 1.0f})},
                                         {at::tensor({-3.0f, kInf}), at::tensor({9.0f, -kInf})}, 0.25);
  EXPECT_TRUE(at::equal(moved.min, at::tensor({-3.0f, -1.0f})));
  EXPECT_TRUE(at::equal(moved.max, at::tensor({9.0f, 1.0f})));
}

TEST(MovingAverage, TheConstantIsAShare) {
  EXPECT_EQ(checked_averaging_constant("X", 1, false), 1);
  EXPECT_EQ(checked_averaging_constant("X", 1, true), 1);
  EXPECT_THROW(checked_averaging_constant("X", 0, false), Error);
  EXPECT_THROW(checked_averaging_constant("X", 1.5, false), Error);
  EXPECT_THROW(checked_averaging_constant("X", std::nan(""), false), Error);
  try {
    checked_averaging_constant("X", 0.5, true);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "X: averaging_constant 0.5 with is_dynamic: a scale chosen for each value has no past\n"
                 "  allowed here: 1");
  }
}

}  // namespace
}  // namespace torquant
