#include "torquant/lower/move_codes.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/test_qdq.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

constexpr const char* kQuantize = "quantized_decomposed.quantize_per_tensor.default";
constexpr const char* kDequantize = "quantized_decomposed.dequantize_per_tensor.default";

class MoveCodes : public testing::Test {
 protected:
  // The program with the pass applied gives the same bits; `left` dequantize nodes are left.
  void expect_same(const std::vector<Value*>& outputs, size_t left) {
    Program program = net.returns(outputs);
    const std::vector<at::Tensor> before = outputs_of(program, net.examples());
    EXPECT_TRUE(move_codes(program).changed);
    remove_dead_nodes(program);
    EXPECT_EQ(count_nodes(program, kDequantize), left);
    const std::vector<at::Tensor> after = outputs_of(program, net.examples());
    for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(after[i], before[i])) << "output " << i;
  }

  TestProgram net;
};

TEST_F(MoveCodes, MaxPool) {
  Value* x = through(net, net.input("x", {2, 3, 9, 11}), kImage);
  const std::vector<int64_t> kernel = {3, 2};
  Value* y =
      net.op("aten.max_pool2d.default",
             {{"self", x}, {"kernel_size", kernel}, {"stride", std::vector<int64_t>{2, 1}}, {"padding", int64_t{1}}});
  Value* z = net.op("aten.max_pool2d.default", {{"self", through(net, y, kImage)}, {"kernel_size", kernel}});
  expect_same({through(net, z, kImage)}, 1);
}

TEST_F(MoveCodes, MaxPoolOf16BitsHasNoKernel) {
  const Grid wide = {.scale = 1e-3, .zero_point = 0, .min = -32768, .max = 32767, .dtype = at::kShort};
  Value* x = through(net, net.input("x", {2, 3, 9, 11}), wide);
  Value* y = net.op("aten.max_pool2d.default", {{"self", x}, {"kernel_size", std::vector<int64_t>{2, 2}}});
  Program program = net.returns({through(net, y, wide)});
  EXPECT_FALSE(move_codes(program).changed);
}

TEST_F(MoveCodes, CatAndShapes) {
  Value* a = through(net, net.input("a", {2, 3, 4}), kImage);
  Value* b = through(net, net.input("b", {2, 1, 4}), kImage);
  Value* y =
      through(net, net.op("aten.cat.default", {{"tensors", std::vector<Value*>{a, b}}, {"dim", int64_t{1}}}), kImage);
  y = through(net, net.op("aten.permute.default", {{"self", y}, {"dims", std::vector<int64_t>{0, 2, 1}}}), kImage);
  y = through(net, net.op("aten.flatten.using_ints", {{"self", y}, {"start_dim", int64_t{1}}}), kImage);
  expect_same({y}, 1);
}

TEST_F(MoveCodes, ConstantPad) {
  const auto pad = [&](const char* op, Value* x, const Ints& sizes, double value) {
    return through(net, net.op(op, {{"self", x}, {"pad", sizes}, {"value", value}}), kImage);
  };
  Value* x = through(net, net.input("x", {2, 3, 4}), kImage);
  x = pad("aten.constant_pad_nd.default", x, {1, 2}, 0.0);
  x = pad("aten.constant_pad_nd.default", x, {0, 0, 1, 0}, 0.731);
  x = pad("aten.constant_pad_nd.default", x, {3, 0}, 1e30);
  x = through(net, net.op("aten.pad.default", {{"self", x}, {"pad", Ints{1, 1}}}), kImage);
  expect_same({x}, 1);
}

TEST_F(MoveCodes, PadsOfOtherValuesStay) {
  Value* x = through(net, net.input("x", {2, 3, 4}), kImage);
  Value* nan = net.op("aten.constant_pad_nd.default",
                      {{"self", x}, {"pad", Ints{1, 1}}, {"value", std::numeric_limits<double>::quiet_NaN()}});
  Value* mirrored = net.op("aten.pad.default", {{"self", x}, {"pad", Ints{1, 1}}, {"mode", std::string("reflect")}});
  Program program = net.returns({through(net, nan, kImage), through(net, mirrored, kImage)});
  EXPECT_FALSE(move_codes(program).changed);
}

TEST_F(MoveCodes, WhatFollowsIsQuantizedBefore) {
  Value* a = net.relu(net.input("a", {2, 3, 6, 6}));
  Value* b = net.relu(net.input("b", {2, 3, 6, 6}));
  Value* x = net.op("aten.cat.default", {{"tensors", std::vector<Value*>{a, b}}, {"dim", int64_t{1}}});
  x = net.op("aten.pad.default", {{"self", x}, {"pad", Ints{1, 1, 0, 2}}});
  x = net.op("aten.max_pool2d.default", {{"self", x}, {"kernel_size", Ints{2, 2}}});
  Program program = net.returns({through(net, x, kImage)});
  const std::vector<at::Tensor> before = outputs_of(program, net.examples());
  EXPECT_TRUE(quantize_before_moving(program).changed);
  EXPECT_TRUE(move_codes(program).changed);
  remove_dead_nodes(program);
  EXPECT_EQ(count_nodes(program, kQuantize), 2u) << "of a and b";
  EXPECT_EQ(count_nodes(program, kDequantize), 1u) << "of the output";
  EXPECT_TRUE(at::equal(outputs_of(program, net.examples())[0], before[0]));
  EXPECT_FALSE(quantize_before_moving(program).changed);
}

TEST_F(MoveCodes, AnOperandOnAnotherGridIsQuantizedAnew) {
  Value* a = net.relu(net.input("a", {2, 3, 4}));
  Value* b = through(net, net.input("b", {2, 3, 4}), kHidden);
  Value* cat = net.op("aten.cat.default", {{"tensors", std::vector<Value*>{a, b}}});
  Program program = net.returns({through(net, cat, kImage)});
  EXPECT_TRUE(quantize_before_moving(program).changed);
  EXPECT_EQ(outputs_of(program, net.examples())[0]
                .sub(outputs_of(net.program(), net.examples())[0])
                .abs()
                .max()
                .item<double>(),
            0);
  EXPECT_TRUE(move_codes(program).changed);
}

TEST_F(MoveCodes, SignedOperandsOnAnotherGridKeepTheRestInFloat) {
  const Grid other = {.scale = 0.05, .zero_point = 3, .min = -128, .max = 127, .dtype = at::kChar};
  Value* a = through(net, net.input("a", {2, 3, 4}), kSigned);
  Value* b = through(net, net.input("b", {2, 3, 4}), other);
  Value* cat = net.op("aten.cat.default", {{"tensors", std::vector<Value*>{a, b}}});
  Program program = net.returns({through(net, cat, kSigned)});
  EXPECT_FALSE(quantize_before_moving(program).changed);
}

TEST_F(MoveCodes, WhatIsWrittenInPlaceIsNotQuantizedBefore) {
  Value* x = net.relu(net.input("x", {2, 3, 4}));
  Value* moved = net.op("aten.transpose.int", {{"self", x}, {"dim0", int64_t{0}}, {"dim1", int64_t{1}}});
  net.op("aten.mul_.Tensor", {{"self", x}, {"other", net.input("y", {3, 4})}});
  Program program = net.returns({through(net, moved, kImage)});
  EXPECT_FALSE(quantize_before_moving(program).changed);
}

TEST_F(MoveCodes, DropoutOutsideOfTraining) {
  const auto dropout = [&](Value* x, bool train) {
    return through(net, net.op("aten.dropout.default", {{"input", x}, {"p", 0.5}, {"train", train}}), kImage);
  };
  Value* x = through(net, net.input("x", {2, 3, 4}), kImage);
  Program training = net.returns({dropout(x, true)});
  EXPECT_FALSE(move_codes(training).changed);
  expect_same({dropout(x, false)}, 1);
}

TEST_F(MoveCodes, OtherGridsStay) {
  Value* a = through(net, net.input("a", {2, 3, 4}), kImage);
  Value* b = through(net, net.input("b", {2, 3, 4}), kHidden);
  Value* cat = net.op("aten.cat.default", {{"tensors", std::vector<Value*>{a, b}}});
  Value* moved = net.op("aten.transpose.int", {{"self", a}, {"dim0", int64_t{0}}, {"dim1", int64_t{1}}});
  Program program = net.returns({through(net, cat, kImage), through(net, moved, kHidden)});
  EXPECT_FALSE(move_codes(program).changed);
}

}  // namespace
}  // namespace torquant
