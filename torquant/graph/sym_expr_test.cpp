#include "torquant/graph/sym_expr.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(SymExpr::parse("CeilDiv(Integer(7), Integer(2))").evaluate({}), 4);
  EXPECT_EQ(SymExpr::parse("Pow(Integer(-2), Integer(3))").evaluate({}), -8);
  EXPECT_EQ(SymExpr::parse("Pow(Integer(2), Integer(64))").evaluate({}), std::nullopt);
  EXPECT_EQ(SymExpr::parse("Max(Integer(2), Integer(9), Integer(3))").evaluate({}), 9);
  EXPECT_EQ(SymExpr::parse("Min(Integer(2), Integer(9), Integer(-3))").evaluate({}), -3);
  EXPECT_EQ(SymExpr::parse("Unknown(Integer(2))").evaluate({}), std::nullopt);
}

TEST(SymExpr, SubstitutesNumbersForSymbols) {
  const auto text = [](const char* expr) { return SymExpr::parse(expr).substitute({{"a", 5}}).text(); };
  EXPECT_EQ(text("a"), "5");
  EXPECT_EQ(text("2*a + b"), "10 + b");
  EXPECT_EQ(text("FloorDiv(b, a + 1)"), "FloorDiv(b, 6)");
  EXPECT_EQ(text("b"), "b");
}

TEST(SymExpr, SolvesForOneLinearSymbol) {
  EXPECT_EQ(SymExpr::parse(kExpr).solve(11, {}), (std::pair<std::string, int64_t>("s17", 5)));
  EXPECT_EQ(SymExpr::parse(kExpr).solve(10, {}), std::nullopt);
  EXPECT_EQ(SymExpr::parse("Mul(s0, s0)").solve(9, {}), std::nullopt);
}

TEST(SymExpr, CallsFoldIntegersAndOrderTheRest) {
  const SymExpr a = SymExpr::symbol("a");
  const SymExpr b = SymExpr::symbol("b");
  const auto two = SymExpr::integer(2);
  EXPECT_EQ(SymExpr::call("Add", {b, two, a, two}).text(), "4 + a + b");
  EXPECT_EQ(SymExpr::call("Add", {SymExpr::call("Add", {b, two}), a}).text(), "2 + a + b");
  EXPECT_EQ(SymExpr::call("Mul", {b, SymExpr::integer(0)}).text(), "0");
  EXPECT_EQ(SymExpr::call("Mul", {b, SymExpr::integer(1)}).text(), "b");
  EXPECT_EQ(SymExpr::call("Max", {b, two, a}).text(), "Max(b, 2, a)");
  EXPECT_THROW(SymExpr::call("Mul", {SymExpr::integer(int64_t{1} << 62), two, two}), Error);
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

}  // namespace
}  // namespace torquant
