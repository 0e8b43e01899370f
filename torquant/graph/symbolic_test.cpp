#include "torquant/graph/symbolic.h"

#include <gtest/gtest.h>

#include <limits>

#include "torquant/core/error.h"

namespace torquant {
namespace {

constexpr const char* kExpr = "Add(Mul(Integer(2), Symbol('s17', positive=True, integer=True)), Integer(1))";

TEST(SymExpr, SreprReadsBackToTheLetter) {
  for (const char* srepr :
       {kExpr, "Symbol('s0', integer=True)", "FloorDiv(Symbol('s1', positive=True, integer=True), Integer(-2))",
        "Mul(Float('1.5', precision=53), Symbol('s0', positive=True, integer=True))"}) {
    EXPECT_EQ(SymExpr::parse(srepr).srepr(), srepr);
  }
  EXPECT_EQ(SymExpr::parse("s77").srepr(), "Symbol('s77', positive=True, integer=True)");
}

TEST(SymExpr, ReadsTheTextForPeople) {
  for (const char* text :
       {"s0", "7", "1 + 2*s17", "2*(1 + s0)", "FloorDiv(1 + s0, 2)", "s0*s1*(s0 + s1)", "-1 + s0", "Max(2, s0)"}) {
    EXPECT_EQ(SymExpr::parse(text).text(), text);
  }
  EXPECT_EQ(SymExpr::parse("1+2*s17").srepr(),
            "Add(Integer(1), Mul(Integer(2), Symbol('s17', positive=True, integer=True)))");
  EXPECT_EQ(SymExpr::parse("Rational(1, 2)").srepr(), "Rational(1, 2)");
  EXPECT_EQ(SymExpr::parse("Float('1e-05', precision=53)").srepr(), "Float('1e-05', precision=53)");
}

TEST(SymExpr, EvaluatesUnderBindings) {
  EXPECT_EQ(SymExpr::parse(kExpr).evaluate({{"s17", 5}}), 11);
  EXPECT_EQ(SymExpr::parse(kExpr).evaluate({}), std::nullopt);
  EXPECT_EQ(SymExpr::parse("FloorDiv(Integer(-7), Integer(2))").evaluate({}), -4);
  EXPECT_EQ(SymExpr::parse("Mod(Integer(-7), Integer(3))").evaluate({}), 2);
  EXPECT_EQ(SymExpr::parse("FloorDiv(Integer(1), Integer(0))").evaluate({}), std::nullopt);
  EXPECT_EQ(SymExpr::parse("Mul(Integer(9223372036854775807), Integer(2))").evaluate({}), std::nullopt);
  EXPECT_EQ(SymExpr::parse("FloorDiv(Integer(-9223372036854775808), Integer(-1))").evaluate({}), std::nullopt);
  EXPECT_EQ(SymExpr::parse("Mod(Integer(-9223372036854775808), Integer(-1))").evaluate({}), 0);
}

TEST(SymExpr, SolvesForOneLinearSymbol) {
  EXPECT_EQ(SymExpr::parse(kExpr).solve(11, {}), (std::pair<std::string, int64_t>("s17", 5)));
  EXPECT_EQ(SymExpr::parse(kExpr).solve(10, {}), std::nullopt);
  EXPECT_EQ(SymExpr::parse("Mul(s0, s0)").solve(9, {}), std::nullopt);
}

TEST(SymExpr, MalformedTextIsAnErrorThatQuotesIt) {
  for (const char* text : {"", "Add(", "Add(Integer(1)", "Integer(x)", "Symbol(s0)", "Add(Integer(1)) rest",
                           "Integer(99999999999999999999)"}) {
    EXPECT_THROW(SymExpr::parse(text), Error) << text;
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "Add(";
  EXPECT_THROW(SymExpr::parse(deep), Error);
}

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
  EXPECT_EQ(evaluate(batch, {}), std::nullopt);
}

TEST(Dim, WhatDoesNotFitIsAnError) {
  EXPECT_THROW(mul(Dim(int64_t{1} << 62), Dim(2)), Error);
  EXPECT_THROW(add(Dim(std::numeric_limits<int64_t>::max()), Dim(1)), Error);
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
