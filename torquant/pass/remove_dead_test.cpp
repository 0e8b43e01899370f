#include "torquant/pass/remove_dead.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant {
namespace {

TEST(RemoveDeadNodes, TakesChainsThatNobodyReads) {
  TestProgram net;
  Value* x = net.input("x", {4});
  net.relu(net.relu(x));
  Program program = net.returns({net.op("aten.neg.default", {{"self", x}})});
  EXPECT_TRUE(remove_dead_nodes(program).changed);
  EXPECT_EQ(program.graph().size(), 1u);
  EXPECT_FALSE(remove_dead_nodes(program).changed);
}

TEST(RemoveDeadNodes, KeepsWhatHasAnEffect) {
  TestProgram net;
  Value* x = net.input("x", {2, 4, 3, 3});
  net.op("aten.relu_.default", {{"self", x}});
  net.batch_norm(x, "bn", /*training=*/true);
  Program program = net.returns({x});
  EXPECT_FALSE(remove_dead_nodes(program).changed);
  EXPECT_EQ(program.graph().size(), 2u);
}

TEST(RemoveDeadState, DropsWhatNoNodeReads) {
  TestProgram net;
  Value* x = net.input("x", {4});
  net.parameter("dead", {3});
  Value* y = net.op("aten.add.Tensor", {{"self", x}, {"other", net.parameter("live", {4})}});
  Program program = net.returns({y});
  program.set_state("unreferenced", at::rand({2}));

  EXPECT_TRUE(remove_dead_state(program).changed);

  EXPECT_EQ(program.find_state("dead"), nullptr);
  EXPECT_EQ(program.find_state("unreferenced"), nullptr);
  EXPECT_NE(program.find_state("live"), nullptr);
  EXPECT_EQ(program.graph().inputs().size(), 2u);
  EXPECT_EQ(program.user_inputs().size(), 1u);
  EXPECT_FALSE(remove_dead_state(program).changed);
}

TEST(RemoveDeadState, KeepsABufferThatTheProgramWrites) {
  TestProgram net;
  Value* x = net.input("x", {4});
  net.buffer("count", at::rand({4}));
  Program program = net.returns({net.relu(x)});
  program.output_specs()[0] = {OutputKind::kBufferMutation, "count"};
  remove_dead_state(program);
  EXPECT_NE(program.find_state("count"), nullptr);
}

}  // namespace
}  // namespace torquant
