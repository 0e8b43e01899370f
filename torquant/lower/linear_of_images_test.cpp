#include "torquant/lower/linear_of_images.h"

#include <gtest/gtest.h>

#include "tests/support/runtime_program.h"

namespace torquant {
namespace {

class LinearOfImages : public RuntimeProgram {
 protected:
  Value* linear(Value* x, const std::string& name, int64_t out) {
    const int64_t in = std::get<int64_t>(x->tensor().sizes.back());
    return net.op(
        "aten.linear.default",
        {{"input", x}, {"weight", int8_weight(net, name, {out, in})}, {"bias", net.parameter(name + ".bias", {out})}});
  }
};

TEST_F(LinearOfImages, AreConvolutionsWithTheirSumsAndClamps) {
  for (const Ints& sizes : {Ints{2, 7, 20}, Ints{2, 3, 5, 20}}) {
    net = TestProgram();
    Value* x = through(net, net.input("x", sizes), kImage);
    Value* hidden = through(net, unary("relu", linear(x, "a", 12)), kHidden);
    Value* sum = net.op("aten.add.Tensor", {{"self", x}, {"other", linear(hidden, "b", 20)}});
    expect_one_step(through(net, sum, kHidden), kHidden);
    // quantize, one permutation to images, two layers, one back, dequantize
    EXPECT_EQ(model.nodes.size(), 6u);
  }
}

TEST_F(LinearOfImages, KeepTheNameOfTheirCodes) {
  Value* codes = quantize(net, linear(through(net, net.input("x", {2, 7, 20}), kImage), "a", 12), kHidden);
  const std::string name = codes->name();
  Program program = net.returns({dequantize(net, codes, kHidden)});
  EXPECT_TRUE(rewrite_linear_of_images(program).changed);
  const Value* kept = program.graph().find_value(name);
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(kept->tensor().sizes, (std::vector<Dim>{2, 7, 12}));
}

TEST_F(LinearOfImages, EndInFloats) {
  Value* y = linear(through(net, net.input("x", {2, 3, 5, 20}), kImage), "a", 12);
  const Program program = net.returns({y});
  EXPECT_LE(run(program).sub(outputs_of(program, net.examples())[0]).abs().max().item<double>(), 1e-4);
  EXPECT_EQ(model.values[model.outputs[0]].name, y->name());
}

TEST_F(LinearOfImages, LeaveRowsAlone) {
  Program program =
      net.returns({through(net, linear(through(net, net.input("x", {2, 20}), kImage), "a", 12), kHidden)});
  EXPECT_FALSE(rewrite_linear_of_images(program).changed);
}

}  // namespace
}  // namespace torquant
