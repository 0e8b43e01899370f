#include "torquant/graph/stepwise_run.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

TEST(StepwiseRun, StopsWhereOneWantsToLook) {
  TestProgram net;
  Value* x = net.input("x", {2, 3});
  Value* y = net.relu(x);
  Value* z = net.linear(y, "layer", 4);
  const Program program = net.returns({net.relu(z)});
  const std::vector<std::vector<at::Tensor>> samples = {{at::randn({2, 3})}, {at::randn({2, 3})}};
  const Node& layer = *only_node(program, "aten.linear.default");
  const Node& last = *program.graph().find_node("relu_1");

  const at::NoGradGuard no_grad;
  StepwiseRun run(program, {}, samples);
  ASSERT_EQ(run.sample_count(), 2u);
  run.run_until(layer);
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at::equal(run.argument(i, layer, "input"), samples[i][0].relu()));
  // What is written now, the nodes to come read.
  program.find_state("layer.weight")->zero_();
  run.run_until(last);
  for (size_t i = 0; i < 2; ++i) {
    const at::Tensor expected = program.find_state("layer.bias")->expand({2, 4});
    EXPECT_TRUE(at::equal(run.argument(i, last, "self"), expected));
  }
  EXPECT_NE(error_text([&] { run.run_until(layer); }).find("has run already"), std::string::npos);
  EXPECT_NE(error_text([&] { run.argument(0, last, "weight"); }).find("has no argument weight"), std::string::npos);
}

TEST(StepwiseRun, ChecksInputs) {
  TestProgram net;
  const Program program = net.returns({net.relu(net.input("x", {2, 3}))});
  const std::string error = error_text([&] { StepwiseRun(program, {}, {{at::randn({2, 4})}}); });
  EXPECT_NE(error.find("x"), std::string::npos) << error;
}

}  // namespace
}  // namespace torquant
