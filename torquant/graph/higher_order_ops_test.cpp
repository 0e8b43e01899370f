#include "torquant/graph/higher_order_ops.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

TEST(HigherOrderOps, CondAndGradMode) {
  const Program program = parse_program(R"(
input %x : f32[2]
input %flag : b8[]
%y : f32[2] = higher_order.cond(%flag, graph "yes" {
  input %a : f32[2]
  %n = aten.neg.default(%a)
  return %n
}, graph "no" {
  input %a : f32[2]
  return %a
}, [%x])
%z : f32[2] = higher_order.wrap_with_set_grad_enabled(false, graph "body" {
  input %a : f32[2]
  %m = aten.mul.Tensor(%a, 2)
  return %m
}, %y)
return %y, %z
)");
  Interpreter interpreter(program);
  const at::Tensor x = at::ones({2}).set_requires_grad(true);
  const auto yes = interpreter.forward({x, at::ones({}, at::kBool)});
  EXPECT_TRUE(yes[0].equal(at::full({2}, -1.0)));
  EXPECT_TRUE(yes[0].requires_grad());
  EXPECT_TRUE(yes[1].equal(at::full({2}, -2.0)));
  EXPECT_FALSE(yes[1].requires_grad());
  EXPECT_TRUE(interpreter.forward({x, at::zeros({}, at::kBool)})[0].equal(at::ones({2})));
}

TEST(HigherOrderOps, OutDtypeComputesWide) {
  const Program program = parse_program(R"(
input %a : i8[1, 3]
input %b : i8[3, 1]
%y : i32[1, 1] = higher_order.out_dtype(op("torch.ops.aten.mm.default"), torch.int32, %a, %b)
return %y
)");
  const at::Tensor a = at::full({1, 3}, 100, at::kChar);
  const at::Tensor y = Interpreter(program).forward({a, a.t()})[0];
  EXPECT_EQ(y.scalar_type(), at::kInt);
  EXPECT_EQ(y.item<int>(), 30000);  // 3 * 100 * 100, of which int8 holds nothing
}

TEST(HigherOrderOps, OutDtypeTakesDefaultsOfTheOperator) {
  const Program program = parse_program(R"(
input %a : i8[2]
%y : i32[2] = higher_order.out_dtype(op("torch.ops.aten.add.Tensor"), torch.int32, %a, 100)
return %y
)");
  const at::Tensor y = Interpreter(program).forward({at::full({2}, 100, at::kChar)})[0];
  EXPECT_EQ(y.scalar_type(), at::kInt);
  EXPECT_TRUE(y.equal(at::full({2}, 200, at::kInt)));
}

TEST(HigherOrderOps, WhatCannotBeRunIsAnErrorBeforeTheRun) {
  const auto error = [](const std::string& call) {
    const Program program = parse_program("input %x : f32[2]\n%y : f32[2] = higher_order." + call + "\nreturn %y");
    return error_text([&] { const Interpreter interpreter(program); });
  };
  EXPECT_EQ(error("scan(%x)"),
            "%y (higher_order.scan): higher-order operator higher_order.scan cannot be run\n  allowed here: out_dtype, "
            "wrap_with_set_grad_enabled, cond");
  EXPECT_EQ(error("cond(true, %x)"), "%y (higher_order.cond): argument 1 is no subgraph");
  EXPECT_EQ(error("cond(true, graph \"a\" {\nreturn\n})"), "%y (higher_order.cond): argument 2 is no subgraph");
  EXPECT_EQ(error("out_dtype(%x)"), "%y (higher_order.out_dtype): argument 0 is no operator");
  EXPECT_EQ(error("out_dtype(op(\"aten.neg.default\"))"), "%y (higher_order.out_dtype): argument 1 is no dtype");
  const auto out_dtype = [&](const std::string& args) { return error("out_dtype(" + args + ")"); };
  EXPECT_EQ(out_dtype("op(\"torch.ops.no.such.op\"), torch.int32, %x"),
            "%y (higher_order.out_dtype): operator \"no.such.op\" is not known");
  EXPECT_EQ(out_dtype("op(\"aten.mm.default\"), torch.int32, %x"),
            "%y (higher_order.out_dtype): argument \"mat2\" of aten.mm.default is missing");
  EXPECT_EQ(out_dtype("op(\"aten.neg.default\"), torch.int32, %x, %x"),
            "%y (higher_order.out_dtype): 2 arguments for aten.neg.default\n  allowed here: 1");
  EXPECT_EQ(out_dtype("op(\"aten.unbind.int\"), torch.int32, %x"),
            "%y (higher_order.out_dtype): aten.unbind.int does not return one tensor");
}

TEST(HigherOrderOps, WrongArgumentsOfABodyAreErrors) {
  const auto error = [](const std::string& args) {
    const Program program = parse_program(R"(
input %x : f32[2]
%y : f32[2] = higher_order.cond(true, graph "yes" {
  input %a : f32[2]
  return %a
}, graph "no" {
  return
})" + args + ")\nreturn %y");
    return error_text([&] { Interpreter(program).forward({at::ones({2})}); });
  };
  EXPECT_EQ(error(", [%x]"), "");
  EXPECT_EQ(error(", [%x, %x]"),
            "%y (higher_order.cond): subgraph \"yes\": called with 2 arguments\n  allowed here: 1");
  EXPECT_EQ(error(", []"), "%y (higher_order.cond): subgraph \"yes\": called with 0 arguments\n  allowed here: 1");
  EXPECT_EQ(error(""), "%y (higher_order.cond): called with 3 arguments");
}

}  // namespace
}  // namespace torquant
