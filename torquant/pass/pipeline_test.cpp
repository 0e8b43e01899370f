#include "torquant/pass/pipeline.h"

#include <gtest/gtest.h>

#include "tests/support/batch_norm_spelling.h"

namespace torquant {
namespace {

// Each step needs the one before: relu_ must be a plain relu for the batch norm in front of it to have one reader, and
// a dead reader of the convolution would keep the batch norm from folding.
TEST(Pipeline, FoldsBehindCanonicalOperatorsWithoutDeadReaders) {
  TestProgram net;
  Value* y = net.conv2d(net.input("x", {1, 3, 8, 8}), "conv", 4);
  net.op("aten.neg.default", {{"self", y}});  // nobody reads it
  Value* z = batch_norm_spelled(net, y);
  Program program = net.returns({net.op("aten.relu_.default", {{"self", z}})});

  const PassResult result = run_before_annotation(program);

  EXPECT_TRUE(result.changed);
  EXPECT_TRUE(result.refusals.empty());
  ASSERT_EQ(program.graph().size(), 2u);
  EXPECT_NE(only_node(program, "aten.conv2d.default"), nullptr);
  EXPECT_NE(only_node(program, "aten.relu.default"), nullptr);
  EXPECT_EQ(program.state().size(), 2u) << "the statistics are gone";
  EXPECT_FALSE(run_before_annotation(program).changed);
}

TEST(Pipeline, ReportsWhatItRefused) {
  TestProgram net;
  Value* y = net.conv2d(net.input("x", {2, 3, 8, 8}), "conv", 4);
  Program program = net.returns({net.batch_norm(y, "bn", /*training=*/true)});
  const PassResult result = run_before_annotation(program);
  ASSERT_EQ(result.refusals.size(), 1u);
  EXPECT_EQ(result.refusals[0].node, "bn (%batch_norm, aten.batch_norm.default)");
}

}  // namespace
}  // namespace torquant
