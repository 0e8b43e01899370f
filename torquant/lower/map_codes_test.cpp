#include "torquant/lower/map_codes.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/test_qdq.h"
#include "torquant/graph/verifier.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

class MapCodes : public testing::Test {
 protected:
  // The program with the pass applied gives the same bits, by so many tables.
  void expect_same(const std::vector<Value*>& outputs, size_t tables) {
    Program program = net.returns(outputs);
    const std::vector<at::Tensor> before = outputs_of(program, net.examples());
    EXPECT_TRUE(map_codes(program).changed);
    remove_dead_nodes(program);
    remove_dead_state(program);
    verify(program);
    EXPECT_EQ(count_nodes(program, "torquant.map_codes.default"), tables);
    EXPECT_EQ(program.graph().size(), 1 + tables + outputs.size()) << "quantize, tables, dequantize";
    const std::vector<at::Tensor> after = outputs_of(program, net.examples());
    for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(after[i], before[i])) << "output " << i;
  }
  Value* op(const char* name, Value* x) { return net.op(name, {{"self", x}}); }
  Value* scaled(Value* x, double by) { return net.op("aten.mul.Tensor", {{"self", x}, {"other", by}}); }

  TestProgram net;
  Value* x = through(net, net.input("x", {3, 8, 7, 9}), kImage);
};

TEST_F(MapCodes, AChainOfOperators) {
  expect_same({through(net, op("aten.sigmoid.default", scaled(op("aten.hardswish.default", x), 0.5)), kHalf)}, 1);
}

TEST_F(MapCodes, FromOneGridToAnother) { expect_same({through(net, through(net, x, kHidden), kHalf)}, 2); }

TEST_F(MapCodes, CodesThatOthersReadStay) {
  expect_same({through(net, op("aten.gelu.default", x), kHidden), x, through(net, op("aten.tanh.default", x), kHalf)},
              2);
}

TEST_F(MapCodes, WhatReadsOtherNumbersStays) {
  Value* other = through(net, net.input("y", {3, 8, 7, 9}), kImage);
  Value* softmax = net.op("aten.softmax.int", {{"self", x}, {"dim", int64_t{1}}});
  Value* sum = net.op("aten.add.Tensor", {{"self", x}, {"other", other}});
  Value* silu = op("aten.silu.default", x);  // read as numbers, too
  Value* wide = through(net, op("aten.exp.default", through(net, net.input("z", {4}), kSigned)), kHidden);
  Program program =
      net.returns({through(net, softmax, kHalf), through(net, sum, kHalf), through(net, silu, kHalf), silu, wide});
  EXPECT_FALSE(map_codes(program).changed);
}

}  // namespace
}  // namespace torquant
