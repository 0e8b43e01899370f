#include "torquant/graph/dim.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

TEST(Dim, ArithmeticFoldsAndKeepsHints) {
  const Dim batch = SymbolicDim{SymExpr::symbol("s0"), 4};
  EXPECT_EQ(mul(Dim(3), Dim(5)), Dim(15));
  EXPECT_EQ(mul(batch, Dim(1)), batch);
  EXPECT_EQ(to_string(add(mul(Dim(2), batch), Dim(1))), "1 + 2*s0");
  EXPECT_EQ(hint_of(floor_div(add(batch, Dim(3)), 2)), 3);
  EXPECT_EQ(sub(batch, batch), Dim(0));
  EXPECT_EQ(to_string(sub(batch, Dim(1))), "-1 + s0");
  EXPECT_EQ(ceil_div(Dim(7), 2), Dim(4));
  EXPECT_EQ(evaluate(ceil_div(batch, 3), {{"s0", 10}}), 4);
  EXPECT_EQ(to_string(floor_div(mul(batch, batch), batch)), "FloorDiv(s0*s0, s0)");
  EXPECT_EQ(hint_of(floor_div(mul(batch, batch), batch)), 4);
  EXPECT_EQ(evaluate(batch, {}), std::nullopt);
}

TEST(Dim, WhatDoesNotFitIsAnError) {
  const int64_t max = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(error_text([&] { add(max, 1); }), "the size 9223372036854775807 + 1 does not fit 64 bits");
  EXPECT_EQ(error_text([&] { mul(max, 2); }), "the size 9223372036854775807 * 2 does not fit 64 bits");
  const Dim batch = SymbolicDim{SymExpr::symbol("s0"), max};
  EXPECT_EQ(error_text([&] { mul(batch, 2); }), "the size 9223372036854775807 * 2 does not fit 64 bits");
  EXPECT_EQ(error_text([&] { mul(mul(batch, 3), max); }), "the size 9223372036854775807 * 3 does not fit 64 bits");
}

TEST(Dim, ContradictWhereBothAreKnownAndDiffer) {
  const Dim batch = SymbolicDim{SymExpr::symbol("s0"), 4};
  const Dim unknown = SymbolicDim{SymExpr::symbol("s1"), std::nullopt};
  EXPECT_TRUE(contradict(Dim(3), Dim(4)));
  EXPECT_FALSE(contradict(batch, Dim(4)));
  EXPECT_TRUE(contradict(batch, Dim(5)));
  EXPECT_FALSE(contradict(unknown, Dim(5)));
}

}  // namespace
}  // namespace torquant
