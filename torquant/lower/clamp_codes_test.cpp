#include "torquant/lower/clamp_codes.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/test_qdq.h"
#include "torquant/graph/verifier.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

constexpr const char* kQuantize = "quantized_decomposed.quantize_per_tensor.default";

class ClampCodes : public testing::Test {
 protected:
  Value* clamp(Value* x, double least, double most) {
    return net.op("aten.hardtanh.default", {{"self", x}, {"min_val", least}, {"max_val", most}});
  }
  // The program with the pass applied gives the same bits, with as many quantize and clamp nodes as given.
  void expect_same(const std::vector<Value*>& outputs, size_t quantizes, size_t clamps) {
    Program program = net.returns(outputs);
    const std::vector<at::Tensor> before = outputs_of(program, net.examples());
    EXPECT_TRUE(clamp_codes(program).changed);
    remove_dead_nodes(program);
    verify(program);
    EXPECT_EQ(count_nodes(program, kQuantize), quantizes);
    EXPECT_EQ(count_nodes(program, "aten.clamp.default"), clamps);
    const std::vector<at::Tensor> after = outputs_of(program, net.examples());
    for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(after[i], before[i])) << "output " << i;
  }

  TestProgram net;
};

TEST_F(ClampCodes, ByTheQuantizeNodeInFront) {
  Value* x = through(net, net.input("x", {4, 500}), kImage);
  x = through(net, clamp(x, -0.511, 1.234), kImage);
  expect_same({through(net, net.relu(x), kImage)}, 1, 0);
}

TEST_F(ClampCodes, OfCodesThatOthersRead) {
  Value* codes = quantize(net, net.input("x", {4, 500}), kSigned);
  Value* clamped = through(net, clamp(dequantize(net, codes, kSigned), -0.511, 1.234), kSigned);
  expect_same({clamped, dequantize(net, codes, kSigned)}, 1, 1);
}

TEST_F(ClampCodes, OfNumbersThatOthersRead) {
  Value* x = through(net, net.input("x", {4, 500}), kSigned);
  expect_same({through(net, clamp(x, -0.511, 1.234), kSigned), x}, 1, 1);
}

TEST_F(ClampCodes, OfStoredCodes) {
  Value* stored = net.buffer("codes", at::randint(-128, 128, {300}).to(at::kChar));
  expect_same({through(net, net.relu(dequantize(net, stored, kSigned)), kSigned)}, 0, 1);
}

TEST_F(ClampCodes, OtherGridsAndNanStay) {
  Value* x = through(net, net.input("x", {4, 500}), kImage);
  Value* nan = clamp(x, std::numeric_limits<double>::quiet_NaN(), 6);
  Program program = net.returns({through(net, net.relu(x), kHidden), through(net, nan, kImage), net.relu(x)});
  EXPECT_FALSE(clamp_codes(program).changed);
}

TEST_F(ClampCodes, OfCodesMadeOnAnotherGrid) {
  Value* x = dequantize(net, quantize(net, net.input("x", {4, 500}), kHidden), kImage);
  expect_same({through(net, net.relu(x), kImage)}, 1, 1);
}

TEST_F(ClampCodes, OfCodesThatAreAllOutside) {
  const Grid low = {.scale = 0.02, .zero_point = 121, .min = 0, .max = 100, .dtype = at::kByte};
  Value* x = dequantize(net, quantize(net, net.input("x", {4, 500}), low), kImage);
  expect_same({through(net, clamp(x, 0, 6), kImage)}, 1, 1);
}

}  // namespace
}  // namespace torquant
