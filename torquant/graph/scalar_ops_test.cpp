// Expected values: Python's operators on the same numbers.
#include "torquant/graph/scalar_ops.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

using Args = std::vector<c10::IValue>;
c10::IValue run(const char* op, Args args) { return run_scalar_op(OpId(op), args); }

TEST(ScalarOps, IntegersStayIntegers) {
  EXPECT_EQ(run("_operator.add", {2, 3}).toInt(), 5);
  EXPECT_EQ(run("_operator.floordiv", {-7, 2}).toInt(), -4);
  EXPECT_EQ(run("_operator.floordiv", {7, -2}).toInt(), -4);
  EXPECT_EQ(run("_operator.mod", {-7, 3}).toInt(), 2);
  EXPECT_EQ(run("_operator.mod", {7, -3}).toInt(), -2);
  EXPECT_EQ(run("_operator.pow", {-3, 3}).toInt(), -27);
  EXPECT_EQ(run("_operator.neg", {5}).toInt(), -5);
  EXPECT_EQ(run("_operator.add", {true, 2}).toInt(), 3);
  EXPECT_EQ(run("_operator.lshift", {3, 4}).toInt(), 48);
  EXPECT_EQ(run("_operator.lshift", {-1, 63}).toInt(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(run("_operator.lshift", {0, 63}).toInt(), 0);
  EXPECT_EQ(run("_operator.rshift", {-5, 1}).toInt(), -3);
  EXPECT_EQ(run("_operator.and_", {6, 3}).toInt(), 2);
  EXPECT_EQ(run("torch.sym_max", {2, 9}).toInt(), 9);
  EXPECT_EQ(run("torch.sym_ite", {false, 1, 2}).toInt(), 2);
}

TEST(ScalarOps, FloatsWherePythonGivesFloats) {
  EXPECT_EQ(run("_operator.truediv", {7, 2}).toDouble(), 3.5);
  EXPECT_EQ(run("_operator.mul", {2, 0.5}).toDouble(), 1.0);
  EXPECT_EQ(run("_operator.floordiv", {-7.0, 2}).toDouble(), -4.0);
  EXPECT_EQ(run("_operator.mod", {-7.5, 2}).toDouble(), 0.5);
  EXPECT_EQ(run("_operator.mod", {7.5, -2}).toDouble(), -0.5);
  EXPECT_EQ(run("_operator.floordiv", {1.0, 0.1}).toDouble(), 9.0);
  EXPECT_EQ(run("_operator.mod", {1.0, 0.1}).toDouble(), 0.09999999999999995);
  EXPECT_EQ(run("_operator.pow", {2, -1}).toDouble(), 0.5);
  EXPECT_EQ(run("torch.sym_float", {3}).toDouble(), 3.0);
  EXPECT_EQ(run("math.trunc", {-2.7}).toInt(), -2);
  EXPECT_EQ(run("math.floor", {-2.2}).toInt(), -3);
  EXPECT_EQ(run("math.ceil", {-2.7}).toInt(), -2);
  EXPECT_EQ(run("torch.sym_sqrt", {9}).toDouble(), 3.0);
}

TEST(ScalarOps, ComparisonsAndLogicGiveBools) {
  EXPECT_TRUE(run("_operator.lt", {2, 2.5}).toBool());
  EXPECT_FALSE(run("_operator.eq", {2, 3}).toBool());
  EXPECT_TRUE(run("_operator.or_", {true, false}).toBool());
  EXPECT_TRUE(run("torch.sym_not", {0}).toBool());
}

TEST(ScalarOps, WhatHasNoValueIsAnError) {
  EXPECT_EQ(error_text([] { run("_operator.floordiv", {1, 0}); }), "integer division by zero");
  EXPECT_EQ(error_text([] { run("_operator.mod", {1, 0}); }), "integer division by zero");
  EXPECT_EQ(error_text([] { run("_operator.truediv", {1, 0}); }), "division by zero");
  EXPECT_EQ(error_text([] { run("_operator.floordiv", {1.0, 0}); }), "division by zero");
  EXPECT_EQ(error_text([] { run("_operator.mod", {1.0, 0}); }), "division by zero");
  EXPECT_EQ(error_text([] { run("_operator.pow", {0, -1}); }), "0 to a negative power");
  for (const double value : {9223372036854775808.0, -1e19, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(error_text([&] { run("math.floor", {value}); }), "the result does not fit 64 bits") << value;
  }
  EXPECT_EQ(error_text([] { run("_operator.add", {1}); }), "_operator.add: called with 1 arguments");
  const int64_t big = std::numeric_limits<int64_t>::max();
  for (const char* op : {"_operator.add", "_operator.mul"}) {
    EXPECT_EQ(error_text([&] { run(op, {big, big}); }), "the result does not fit 64 bits") << op;
  }
  EXPECT_EQ(error_text([&] { run("_operator.sub", {-big, big}); }), "the result does not fit 64 bits");
  EXPECT_EQ(error_text([&] { run("_operator.pow", {10, 40}); }), "the result does not fit 64 bits");
  EXPECT_EQ(error_text([&] { run("_operator.floordiv", {-big - 1, -1}); }), "the result does not fit 64 bits");
  EXPECT_EQ(error_text([&] { run("_operator.lshift", {1, 64}); }), "a shift by 64\n  allowed here: 0 to 63");
  EXPECT_EQ(error_text([&] { run("_operator.rshift", {1, -1}); }), "a shift by -1\n  allowed here: 0 to 63");
  EXPECT_FALSE(is_scalar_op(OpId("aten.add.Tensor")));
}

}  // namespace
}  // namespace torquant
