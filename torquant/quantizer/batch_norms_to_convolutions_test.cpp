#include "torquant/quantizer/batch_norms_to_convolutions.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant {
namespace {

class BatchNormsToConvolutions : public testing::Test {
 protected:
  Value* batch_norm(Value* x, bool training = false, bool affine = true) {
    std::vector<NamedArgument> args = {{"input", x}};
    args.push_back({"weight", affine ? Argument(net.parameter("gamma", {5})) : Argument()});
    args.push_back({"bias", affine ? Argument(net.parameter("beta", {5})) : Argument()});
    args.push_back({"running_mean", net.buffer("mean", at::randn({5}))});
    args.push_back({"running_var", net.positive("var", {5})});
    args.push_back({"training", training});
    args.push_back({"momentum", 0.1});
    args.push_back({"eps", 1e-3});
    args.push_back({"cudnn_enabled", false});
    return net.op("aten.batch_norm.default", std::move(args), "norm");
  }

  TestProgram net;
};

TEST_F(BatchNormsToConvolutions, GiveTheSameNumbers) {
  for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{2, 5, 4, 3}, std::vector<int64_t>{2, 5, 7}}) {
    for (const bool affine : {true, false}) {
      net = TestProgram();
      Program program = net.returns({batch_norm(net.input("x", sizes), false, affine)});
      const at::Tensor expected = outputs_of(program, net.examples())[0];
      batch_norms_to_convolutions(program);
      EXPECT_EQ(only_node(program, "aten.batch_norm.default"), nullptr);
      EXPECT_NE(only_node(program, sizes.size() == 4 ? "aten.conv2d.default" : "aten.conv1d.default"), nullptr);
      // Numbers up to 8 or so, rounded in another order.
      EXPECT_TRUE(outputs_of(program, net.examples())[0].allclose(expected, 1e-5, 1e-5));
    }
  }
}

TEST_F(BatchNormsToConvolutions, LeaveOthers) {
  Program training = net.returns({batch_norm(net.input("x", {2, 5, 4, 3}), true)});
  batch_norms_to_convolutions(training);
  EXPECT_NE(only_node(training, "aten.batch_norm.default"), nullptr);
  net = TestProgram();
  Program rows = net.returns({batch_norm(net.input("x", {2, 5}))});
  batch_norms_to_convolutions(rows);
  EXPECT_NE(only_node(rows, "aten.batch_norm.default"), nullptr);
}

}  // namespace
}  // namespace torquant
