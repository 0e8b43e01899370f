#include "torquant/lower/multiply_on_codes.h"

#include <gtest/gtest.h>

#include "tests/support/test_qdq.h"
#include "torquant/graph/verifier.h"
#include "torquant/lower/matmul_codes.h"

namespace torquant {
namespace {

class MultiplyOnCodes : public testing::Test {
 protected:
  Value* image(const char* name, const std::vector<int64_t>& sizes) {
    return through(net, net.input(name, sizes), kImage);
  }
  Value* matmul(Value* a, Value* b) { return net.op("aten.matmul.default", {{"self", a}, {"other", b}}); }
  std::string refusal(Value* product) {
    std::string reason;
    EXPECT_EQ(multiply_on_codes(product->producer(), reason), std::nullopt);
    return reason;
  }
  // The program that returns `output` differs by no more than `distance` when `product` is on codes.
  void expect_near(Value* output, Value* product, const std::string& becomes, double distance) {
    Program program = net.returns({output});
    const at::Tensor before = outputs_of(program, net.examples())[0];
    std::string reason;
    EXPECT_EQ(multiply_on_codes(program.graph().find_node(product->name()), reason), becomes);
    verify(program);
    EXPECT_EQ(count_nodes(program, "aten.matmul.default") + count_nodes(program, "aten.bmm.default"), 0u);
    EXPECT_LE(outputs_of(program, net.examples())[0].sub(before).abs().max().item<double>(), distance);
    EXPECT_GT(before.abs().max().item<double>(), 10 * distance);
  }

  TestProgram net;
};

TEST_F(MultiplyOnCodes, ToNumbers) {
  Value* product = matmul(image("a", {2, 3, 5, 40}), image("b", {2, 1, 40, 6}));
  expect_near(product, product, "uint8 × uint8 → float32", 1e-4);  // sums of 40 products up to 6, rounded in float32
}

TEST_F(MultiplyOnCodes, ToCodes) {
  Value* product = net.op("aten.bmm.default", {{"self", image("a", {3, 5, 40})}, {"mat2", image("b", {3, 40, 6})}});
  const Grid grid = {.scale = 0.25, .zero_point = 128, .min = 0, .max = 255, .dtype = at::kByte};
  expect_near(through(net, product, grid), product, "uint8 × uint8 → uint8", 0.25);
}

TEST_F(MultiplyOnCodes, SaysWhyNot) {
  Value* a = image("a", {5, 40});
  EXPECT_EQ(refusal(matmul(a, net.input("numbers", {40, 6}))),
            "its operands are not both quantized to 8 bits with one scale");
  EXPECT_EQ(refusal(matmul(a, image("vector", {40}))), "one of its operands is a vector");
  const Grid far = {.scale = 0.1, .zero_point = 300, .min = 0, .max = 255, .dtype = at::kByte};
  EXPECT_EQ(refusal(matmul(a, through(net, net.input("far", {40, 6}), far))), "a zero point of 300 is no code");
  EXPECT_EQ(refusal(matmul(image("wide", {1, kLargestInnerSize + 1}), image("tall", {kLargestInnerSize + 1, 1}))),
            "sums of 33026 products of codes do not fit into 32 bits");
}

}  // namespace
}  // namespace torquant
