#include "torquant/lower/move_codes.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/test_qdq.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

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
