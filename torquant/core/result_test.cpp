#include "torquant/core/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace torquant {
namespace {

Result<int> half(int x) {
  if (x % 2 != 0) return ErrorText{.where = "half", .what = std::to_string(x) + " is odd"};
  return x / 2;
}

Result<void> check(int x) {
  const Result<int> result = half(x);
  if (!result.ok()) return result.error();
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  ASSERT_TRUE(half(8).ok());
  EXPECT_EQ(*half(8), 4);
  ASSERT_FALSE(half(7).ok());
  EXPECT_EQ(half(7).error().what, "7 is odd");
  EXPECT_TRUE(check(8).ok());
  EXPECT_EQ(check(7).error().where, "half");
}

TEST(Result, GivesAwayWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 3);
}

}  // namespace
}  // namespace torquant
