#include "torquant/pass/fold_batch_norm.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/test_program.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

// Folding changes the order of the products: weight * (gamma * r) rounds once a weight, where the batch norm rounds
// once an output. The difference is a few roundings (2^-24) of sums whose terms are below 100 here.
void expect_same_outputs(const Program& before, const Program& after, const std::vector<at::Tensor>& inputs) {
  const auto expected = outputs_of(before, inputs);
  const auto actual = outputs_of(after, inputs);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(at::allclose(actual[i], expected[i], /*rtol=*/1e-5, /*atol=*/1e-4));
  }
}

struct Layer {
  const char* name;
  const char* op;
  std::vector<int64_t> input;
  std::vector<int64_t> weight;
  int64_t groups = 1;
  bool bias = true;
};

class FoldsInto : public testing::TestWithParam<Layer> {};

TEST_P(FoldsInto, TheLayer) {
  const Layer& layer = GetParam();
  const bool linear = std::string(layer.op) == "aten.linear.default";
  const bool transposed = std::string(layer.op).find("transpose") != std::string::npos;
  TestProgram net;
  Value* x = net.input("x", layer.input);
  std::vector<NamedArgument> args = {{"input", x}, {"weight", net.parameter("layer.weight", layer.weight)}};
  const int64_t channels = transposed ? layer.weight[1] * layer.groups : layer.weight[0];
  if (layer.bias) args.push_back({"bias", net.parameter("layer.bias", {channels})});
  if (!linear) args.push_back({"groups", layer.groups});
  Value* y = net.batch_norm(net.op(layer.op, std::move(args), "layer"), "bn");
  const Program before = net.returns({y});
  Program after = before.clone();

  const PassResult result = fold_batch_norm(after);

  EXPECT_TRUE(result.changed);
  EXPECT_TRUE(result.refusals.empty());
  EXPECT_EQ(count_nodes(after, "aten.batch_norm.default"), 0u);
  EXPECT_EQ(after.graph().size(), 1u);
  expect_same_outputs(before, after, net.examples());
  EXPECT_FALSE(fold_batch_norm(after).changed) << "a second run has nothing to do";
}

INSTANTIATE_TEST_SUITE_P(
    EveryLayer, FoldsInto,
    testing::Values(Layer{"conv1d", "aten.conv1d.default", {2, 4, 9}, {6, 4, 3}},
                    Layer{"conv2d", "aten.conv2d.default", {2, 4, 9, 9}, {6, 4, 3, 3}},
                    Layer{"conv2d_without_bias", "aten.conv2d.default", {2, 4, 9, 9}, {6, 4, 3, 3}, 1, false},
                    Layer{"depthwise", "aten.conv2d.default", {2, 6, 9, 9}, {6, 1, 3, 3}, 6},
                    Layer{"conv3d", "aten.conv3d.default", {2, 4, 5, 5, 5}, {6, 4, 3, 3, 3}},
                    Layer{"transposed1d", "aten.conv_transpose1d.default", {2, 4, 9}, {4, 6, 3}},
                    Layer{"transposed2d", "aten.conv_transpose2d.input", {2, 4, 5, 5}, {4, 6, 3, 3}},
                    Layer{"transposed2d_groups", "aten.conv_transpose2d.input", {2, 4, 5, 5}, {4, 3, 3, 3}, 2},
                    Layer{"transposed3d_groups", "aten.conv_transpose3d.input", {2, 4, 5, 5, 5}, {4, 3, 3, 3, 3}, 2},
                    Layer{"linear", "aten.linear.default", {5, 8}, {6, 8}},
                    Layer{"linear_without_bias", "aten.linear.default", {5, 8}, {6, 8}, 1, false}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(FoldBatchNorm, KeepsTheNamesOfTheState) {
  TestProgram net;
  Program program = net.returns({net.batch_norm(net.conv2d(net.input("x", {1, 3, 8, 8}), "conv", 4), "bn")});
  fold_batch_norm(program);
  EXPECT_NE(program.find_state("conv.weight"), nullptr);
  EXPECT_NE(program.find_state("conv.bias"), nullptr);
}

TEST(FoldBatchNorm, NamesANewBiasAfterTheWeight) {
  TestProgram net;
  Value* x = net.input("x", {1, 3, 8, 8});
  Value* y = net.op("aten.conv2d.default", {{"input", x}, {"weight", net.parameter("conv.weight", {4, 3, 3, 3})}});
  Program program = net.returns({net.batch_norm(y, "bn")});
  fold_batch_norm(program);
  EXPECT_NE(program.find_state("conv.weight_bias"), nullptr);
}

// One refusal, in these words, and a program that is as it was.
void expect_refusal(Program program, const std::string& node, const std::string& reason) {
  const size_t nodes = program.graph().size();
  const PassResult result = fold_batch_norm(program);
  EXPECT_FALSE(result.changed);
  EXPECT_EQ(program.graph().size(), nodes);
  ASSERT_EQ(result.refusals.size(), 1u);
  EXPECT_EQ(result.refusals[0].node, node);
  EXPECT_EQ(result.refusals[0].reason, reason);
}

TEST(FoldBatchNorm, RefusesTrainingMode) {
  TestProgram net;
  Value* y = net.conv2d(net.input("x", {2, 3, 8, 8}), "conv", 4);
  expect_refusal(net.returns({net.batch_norm(y, "bn", /*training=*/true)}), "bn (%batch_norm, aten.batch_norm.default)",
                 "it is in training mode: its statistics are those of each batch");
}

TEST(FoldBatchNorm, RefusesWhenTheConvolutionHasAnotherReader) {
  TestProgram net;
  Value* y = net.conv2d(net.input("x", {2, 3, 8, 8}), "conv", 4);
  Value* skip = net.relu(y);
  expect_refusal(net.returns({net.batch_norm(y, "bn"), skip}), "bn (%batch_norm, aten.batch_norm.default)",
                 "the output of %conv2d also feeds %relu, which would see the folded values");
}

TEST(FoldBatchNorm, RefusesALinearLayerWhoseFeaturesAreNotTheChannels) {
  TestProgram net;
  Value* y = net.linear(net.input("x", {2, 4, 8}), "fc", 6);
  expect_refusal(net.returns({net.batch_norm(y, "bn")}), "bn (%batch_norm, aten.batch_norm.default)",
                 "the linear layer %linear has 3-D inputs: its features are not the batch norm's channels");
}

TEST(FoldBatchNorm, RefusesAComputedWeight) {
  TestProgram net;
  Value* x = net.input("x", {2, 3, 8, 8});
  Value* weight = net.op("aten.relu.default", {{"self", net.parameter("w", {4, 3, 3, 3})}});
  Value* y = net.op("aten.conv2d.default", {{"input", x}, {"weight", weight}});
  expect_refusal(net.returns({net.batch_norm(y, "bn")}), "bn (%batch_norm, aten.batch_norm.default)",
                 "\"weight\" of %conv2d is computed, not a constant");
}

TEST(FoldBatchNorm, RefusesWithoutRunningStatistics) {
  TestProgram net;
  Value* y = net.conv2d(net.input("x", {2, 3, 8, 8}), "conv", 4);
  Value* z = net.batch_norm(y, "bn");
  for (const char* name : {"running_mean", "running_var"}) z->producer()->set_arg(name, std::monostate{});
  expect_refusal(net.returns({z}), "bn (%batch_norm, aten.batch_norm.default)", "it tracks no running statistics");
}

TEST(FoldBatchNorm, LeavesABatchNormBehindSomethingElseAlone) {
  TestProgram net;
  Program program = net.returns({net.batch_norm(net.relu(net.input("x", {2, 3, 8, 8})), "bn")});
  const PassResult result = fold_batch_norm(program);
  EXPECT_FALSE(result.changed);
  EXPECT_TRUE(result.refusals.empty());
}

TEST(FoldBatchNorm, FoldsASharedWeightOnceForEachBatchNorm) {
  TestProgram net;
  Value* x = net.input("x", {2, 4, 8, 8});
  Value* weight = net.parameter("conv.weight", {4, 4, 1, 1});
  const std::vector<NamedArgument> args = {{"input", x}, {"weight", weight}};
  Value* a = net.batch_norm(net.op("aten.conv2d.default", args), "bn1");
  Value* b = net.batch_norm(net.op("aten.conv2d.default", {{"input", a}, {"weight", weight}}), "bn2");
  const Program before = net.returns({b});
  Program after = before.clone();

  EXPECT_TRUE(fold_batch_norm(after).changed);

  EXPECT_EQ(count_nodes(after, "aten.batch_norm.default"), 0u);
  expect_same_outputs(before, after, net.examples());
}

TEST(FoldBatchNorm, FoldsOnceForAllCallsOfOneModule) {
  TestProgram net;
  Value* x = net.input("x", {2, 4, 8, 8});
  Value* weight = net.parameter("conv.weight", {4, 4, 1, 1});
  Value* a = net.batch_norm(net.op("aten.conv2d.default", {{"input", x}, {"weight", weight}}), "bn");
  std::vector<NamedArgument> args = a->producer()->args();
  args[0].value = net.op("aten.conv2d.default", {{"input", a}, {"weight", weight}});
  Value* b = net.op("aten.batch_norm.default", std::move(args), "bn", "torch.nn.modules.batchnorm.BatchNorm2d");
  const Program before = net.returns({b});
  Program after = before.clone();

  EXPECT_TRUE(fold_batch_norm(after).changed);

  EXPECT_EQ(count_nodes(after, "aten.batch_norm.default"), 0u);
  EXPECT_EQ(after.find_state("conv.weight_1"), nullptr) << "no copy";
  EXPECT_FALSE(at::equal(*after.find_state("conv.weight"), *before.find_state("conv.weight")));
  expect_same_outputs(before, after, net.examples());
}

TEST(FoldBatchNorm, LeavesAWeightThatIsTiedByNameAsOthersReadIt) {
  TestProgram net;
  Value* x = net.input("x", {2, 4, 8, 8});
  Value* weight = net.parameter("conv.weight", {4, 4, 1, 1});
  Value* tied = net.program().graph().insert_input(1, "tied", weight->meta());
  net.program().input_specs().insert(net.program().input_specs().begin() + 1, {InputKind::kParameter, "conv.weight"});
  Value* a = net.batch_norm(net.op("aten.conv2d.default", {{"input", x}, {"weight", weight}}), "bn");
  Value* b = net.op("aten.conv2d.default", {{"input", a}, {"weight", tied}});
  const Program before = net.returns({b});
  Program after = before.clone();

  EXPECT_TRUE(fold_batch_norm(after).changed);

  EXPECT_TRUE(at::equal(*after.find_state("conv.weight"), *before.find_state("conv.weight")));
  expect_same_outputs(before, after, net.examples());
}

}  // namespace
}  // namespace torquant
