#include "torquant/graph/execution_plan.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

constexpr const char* kGraph = R"(
input %x : f32[2]
input 7
%a = aten.neg.default(%x)
%unused = aten.abs.default(%x)
%b = aten.relu.default(%a)
%c = aten.add.Tensor(%b, %b)
return %c, 3
)";

TEST(ExecutionPlan, ArgumentsFollowTheSchemaWithItsDefaults) {
  const Program program = parse_program(kGraph);
  const ExecutionPlan plan = make_plan(program.graph(), {});
  EXPECT_EQ(plan.inputs, (std::vector<int>{0, SlotTable::kNone}));
  EXPECT_EQ(plan.slot_count, 5u);
  ASSERT_EQ(plan.steps.size(), 4u);
  const ExecutionStep& add = plan.steps[3];
  EXPECT_NE(add.op, nullptr);
  ASSERT_EQ(add.args.size(), 3u);  // self, other, alpha
  EXPECT_EQ(add.args[0].slots, add.args[1].slots);
  EXPECT_EQ(add.args[2].constant.toInt(), 1);
}

TEST(ExecutionPlan, AValueIsMovedOutOrDroppedAtItsLastUse) {
  const Program program = parse_program(kGraph);
  const ExecutionPlan plan = make_plan(program.graph(), {});
  const std::vector<int>& x = plan.steps[0].args[0].slots;
  EXPECT_FALSE(plan.steps[0].args[0].last_use);  // %x is read again
  EXPECT_EQ(plan.steps[1].args[0].slots, x);
  EXPECT_TRUE(plan.steps[1].args[0].last_use);
  EXPECT_EQ(plan.steps[1].dead, plan.steps[1].results[0]);  // %unused
  EXPECT_TRUE(plan.steps[2].args[0].last_use);
  EXPECT_FALSE(plan.steps[3].args[0].last_use);  // read twice by one node: neither read may move it
  EXPECT_FALSE(plan.steps[3].args[1].last_use);
  EXPECT_EQ(plan.steps[3].dead, plan.steps[2].results[0]);
}

TEST(ExecutionPlan, RunsMoreThanOnce) {
  const Program program = parse_program(kGraph);
  const ExecutionPlan plan = make_plan(program.graph(), {});
  const at::NoGradGuard no_grad;
  for (const double value : {-1.0, -2.5}) {
    const Stack outputs = run_plan(plan, nullptr, {at::full({2}, value), c10::IValue()});
    ASSERT_EQ(outputs.size(), 2u);
    EXPECT_TRUE(outputs[0].toTensor().equal(at::full({2}, -2 * value)));
    EXPECT_EQ(outputs[1].toInt(), 3);
  }
}

TEST(ExecutionPlan, AHandlerIsTheCallersNotACopy) {
  const Program program = parse_program("input %x : f32[2]\n%y : f32[2] = my.op.default(%x)\nreturn %y");
  InterpreterOptions options;
  options.handlers[OpId("my.op.default")] = [calls = 0](const Node&, Stack& stack) mutable { stack = {++calls}; };
  const ExecutionPlan plan = make_plan(program.graph(), options);
  const ExecutionPlan other = make_plan(program.graph(), options);
  EXPECT_EQ(run_plan(plan, nullptr, {at::ones({2})})[0].toInt(), 1);
  EXPECT_EQ(run_plan(other, nullptr, {at::ones({2})})[0].toInt(), 2);
}

TEST(ExecutionPlan, FewerResultsThanTheProgramExpectsAreErrors) {
  InterpreterOptions options;
  const auto error = [&](const std::string& results, Stack outputs) {
    const Program program = parse_program("input %x : f32[2]\n" + results + " = my.op.default(%x) as %y\nreturn");
    options.handlers[OpId("my.op.default")] = [&](const Node&, Stack& stack) { stack = outputs; };
    return error_text([&] { run_plan(make_plan(program.graph(), options), nullptr, {at::ones({2})}); });
  };
  EXPECT_EQ(error("%a : f32[2], %b : f32[2]", {at::ones({2})}),
            "%y (my.op.default): gave 1 outputs, the program expects 2");
  EXPECT_EQ(error("[%a : f32[2]]", {std::vector<at::Tensor>{at::ones({2}), at::ones({2})}}),
            "%y (my.op.default): gave a list of 2, the program expects 1");
}

}  // namespace
}  // namespace torquant
