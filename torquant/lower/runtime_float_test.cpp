#include "torquant/lower/runtime_float.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/runtime_program.h"
#include "torquant/format/describe.h"

namespace torquant {
namespace {

class RuntimeFloats : public RuntimeProgram {
 protected:
  // Numbers that both compute from the same codes, so that they have the same bits.
  Value* numbers(const Ints& sizes = {2, 5, 4, 6}, const std::string& name = "x") {
    return through(net, net.input(name, sizes), kImage);
  }
  Value* op(const std::string& name, std::vector<NamedArgument> args) {
    return net.op("aten." + name, std::move(args));
  }
  void expect_same_bits(Value* output) {
    const Program program = net.returns({output});
    const at::Tensor expected = outputs_of(program, net.examples())[0];
    // 0 / 0 is no number on both sides.
    EXPECT_TRUE(run(program).nan_to_num(1e9).equal(expected.nan_to_num(1e9))) << output->producer()->describe();
  }
  // PyTorch's functions are some ulp from the true values.
  void expect_close(Value* output) {
    const Program program = net.returns({output});
    const at::Tensor expected = outputs_of(program, net.examples())[0];
    EXPECT_TRUE(run(program).allclose(expected, 1e-6, 2e-7)) << output->producer()->describe();
  }
  size_t in_float() const {
    return static_cast<size_t>(std::count_if(model.nodes.begin(), model.nodes.end(), [](const format::Node& node) {
      return computes_in_float(node.operation);
    }));
  }
};

TEST_F(RuntimeFloats, GivesPyTorchsFunctions) {
  const std::vector<std::pair<std::string, std::vector<NamedArgument>>> exact = {
      {"relu.default", {}},
      {"relu6.default", {}},
      {"hardtanh.default", {{"min_val", -0.5}, {"max_val", 1.25}}},
      {"clamp.default", {{"min", -1.5}}},
      {"clamp.default", {{"min", int64_t{0}}, {"max", 0.75}}},
      {"leaky_relu.default", {{"negative_slope", 0.2}}},
      {"hardsigmoid.default", {}},
      {"hardswish.default", {}},
      {"abs.default", {}},
      {"neg.default", {}},
      {"reciprocal.default", {}},
      {"pow.Tensor_Scalar", {{"exponent", int64_t{2}}}}};
  for (auto [name, args] : exact) {
    net = TestProgram();
    args.insert(args.begin(), {"self", numbers()});
    expect_same_bits(op(name, args));
    EXPECT_EQ(in_float(), 1u) << name;
  }
  const std::vector<std::pair<std::string, std::vector<NamedArgument>>> close = {
      {"sigmoid.default", {}},
      {"tanh.default", {}},
      {"silu.default", {}},
      {"mish.default", {}},
      {"exp.default", {}},
      {"elu.default", {{"alpha", 1.5}}},
      {"gelu.default", {}},
      {"gelu.default", {{"approximate", std::string("tanh")}}},
      {"softplus.default", {{"beta", 2.0}}},
      {"softmax.int", {{"dim", int64_t{1}}}},
      {"softmax.int", {{"dim", int64_t{-1}}}},
      {"log_softmax.int", {{"dim", int64_t{2}}}},
      {"_softmax.default", {{"dim", int64_t{3}}, {"half_to_float", false}}},
      {"mean.dim", {{"dim", Ints{2, 3}}}},
      {"mean.dim", {{"dim", Ints{-1}}, {"keepdim", true}}},
      {"adaptive_avg_pool2d.default", {{"output_size", Ints{1, 1}}}}};
  for (auto [name, args] : close) {
    net = TestProgram();
    args.insert(args.begin(), {"self", numbers()});
    expect_close(op(name, args));
    EXPECT_EQ(in_float(), 1u) << name;
  }
}

TEST_F(RuntimeFloats, ComputesWithNumbers) {
  for (const char* name : {"add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor"}) {
    net = TestProgram();
    expect_same_bits(op(name, {{"self", numbers()}, {"other", 1.3}}));
    net = TestProgram();
    Value* number = net.buffer("n", at::scalar_tensor(1.3));
    expect_same_bits(op(name, {{"self", number}, {"other", numbers()}}));
    EXPECT_EQ(in_float(), 1u) << name;
  }
  net = TestProgram();
  expect_close(op("sub.Tensor", {{"self", numbers()}, {"other", int64_t{2}}, {"alpha", 0.7}}));
}

TEST_F(RuntimeFloats, ComputesWithTensorsThatAreRepeated) {
  for (const char* name : {"add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor"}) {
    net = TestProgram();
    Value* x = numbers();
    expect_same_bits(op(name, {{"self", unary("neg", x)}, {"other", x}}));
    net = TestProgram();
    x = numbers();
    Value* row = op("slice.Tensor", {{"self", x}, {"dim", int64_t{2}}, {"start", int64_t{1}}, {"end", int64_t{2}}});
    expect_same_bits(op(name, {{"self", row}, {"other", x}}));
  }
  net = TestProgram();
  Value* x = numbers();
  expect_close(op("sub.Tensor", {{"self", unary("neg", x)}, {"other", x}, {"alpha", 0.7}}));
  EXPECT_EQ(in_float(), 3u) << "one for alpha";
}

TEST_F(RuntimeFloats, MovesFloats) {
  Value* x = unary("neg", numbers());
  x = op("permute.default", {{"self", x}, {"dims", Ints{0, 3, 1, 2}}});
  x = op("slice.Tensor", {{"self", x}, {"dim", int64_t{1}}, {"start", int64_t{1}}, {"step", int64_t{2}}});
  x = op("cat.default", {{"tensors", std::vector<Value*>{x, x}}, {"dim", int64_t{1}}});
  expect_same_bits(op("flatten.using_ints", {{"self", x}, {"start_dim", int64_t{1}}}));
}

TEST_F(RuntimeFloats, LayersEndInFloatsWhereNothingIsFused) {
  Value* x = through(net, net.input("x", {2, 5, 7, 6}), kImage);
  Value* hidden = conv(x, "a", 18, {3, 3}, {{"padding", Ints{1, 1}}});
  Value* sum = op("add.Tensor", {{"self", unary("silu", hidden)}, {"other", unary("relu", hidden)}});
  Value* last = conv(through(net, sum, kHidden), "b", 3, {1, 1});
  const Program program = net.returns({unary("sigmoid", last)});
  const at::Tensor expected = outputs_of(program, net.examples())[0];
  // A code that is one off before the last layer moves a sum by 0.05 times 18 weights of 0.64 at most, a sigmoid by a
  // quarter of that.
  EXPECT_LE(run(program).sub(expected).abs().max().item<double>(), 0.25 * 18 * 0.05 * 0.64);
  EXPECT_EQ(in_float(), 4u);
}

TEST_F(RuntimeFloats, DepthwiseAndGroupedLayersEndInFloats) {
  for (const int64_t groups : {8, 2}) {
    net = TestProgram();
    Value* x = numbers({2, 8, 5, 6});
    x = op("conv2d.default", {{"input", x},
                              {"weight", int8_weight(net, "w", {8, 8 / groups, 3, 3})},
                              {"bias", net.parameter("b", {8})},
                              {"padding", Ints{1, 1}},
                              {"groups", groups}});
    const Program program = net.returns({unary("tanh", x)});
    EXPECT_LE(run(program).sub(outputs_of(program, net.examples())[0]).abs().max().item<double>(), 1e-4);
  }
}

TEST_F(RuntimeFloats, ANetworkThatIsQuantizedWholeHasNothingInFloat) {
  Value* x = numbers({1, 8, 6, 6});
  Value* left = through(net, unary("relu", conv(x, "left", 16, {1, 1})), kHidden);
  Value* right = conv(x, "right", 16, {3, 3}, {{"padding", Ints{1, 1}}});
  Value* sum = through(net, unary("relu", op("add.Tensor", {{"self", right}, {"other", left}})), kHidden);
  Value* mean = op("adaptive_avg_pool2d.default", {{"self", sum}, {"output_size", Ints{1, 1}}});
  Value* flat = op("flatten.using_ints", {{"self", through(net, mean, kHidden)}, {"start_dim", int64_t{1}}});
  flat = through(net, flat, kHidden);
  (void)run(net.returns(
      {op("linear.default",
          {{"input", flat}, {"weight", int8_weight(net, "w", {11, 16})}, {"bias", net.parameter("b", {11})}})}));
  EXPECT_EQ(in_float(), 0u);
}

TEST_F(RuntimeFloats, NamesWhatItHasNoKernelFor) {
  const auto says = [&](Value* output, const std::string& name) {
    EXPECT_NE(refusal(output).find(name + ": the runtime has no kernel for it"), std::string::npos) << refusal(output);
  };
  says(op("sin.default", {{"self", numbers()}}), "%sin (aten.sin.default)");
  net = TestProgram();
  says(op("mean.dim", {{"self", numbers()}, {"dim", Ints{1}}}), "%mean (aten.mean.dim)");
  net = TestProgram();
  says(op("softmax.int", {{"self", numbers()}, {"dim", int64_t{0}}}), "%softmax (aten.softmax.int)");
}

TEST_F(RuntimeFloats, AddsAndMultipliesWithWhatTheProgramHolds) {
  for (const Ints& sizes : {Ints{5, 1, 1}, Ints{6}, Ints{1, 5, 4, 6}, Ints{2, 1, 1, 6}}) {
    for (const char* name : {"add.Tensor", "mul.Tensor"}) {
      net = TestProgram();
      Value* constant = net.parameter("constant", sizes);
      expect_same_bits(op(name, {{"self", numbers()}, {"other", constant}}));
      expect_same_bits(op(name, {{"self", constant}, {"other", net.input("z", {2, 5, 4, 6})}}));
    }
  }
}

}  // namespace
}  // namespace torquant
