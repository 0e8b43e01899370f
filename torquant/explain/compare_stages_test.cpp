#include "torquant/explain/compare_stages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/runtime_program.h"

namespace torquant {
namespace {

class CompareStages : public RuntimeProgram {
 protected:
  std::vector<Stage> compare(Value* output) {
    const Program program = net.returns({output});
    lowered = lower_to_runtime(program.clone(), "a test");
    return compare_stages(program, lowered.model, net.examples());
  }
  static const Stage& find(const std::vector<Stage>& stages, const std::string& value) {
    const auto found =
        std::find_if(stages.begin(), stages.end(), [&](const Stage& stage) { return stage.value == value; });
    EXPECT_NE(found, stages.end()) << value;
    return *found;
  }
  Value* op(const std::string& name, std::vector<NamedArgument> args) {
    return net.op("aten." + name, std::move(args));
  }

  RuntimeModel lowered;
};

TEST_F(CompareStages, EachNodeIsAtMostAStepOff) {
  Value* x = through(net, net.input("x", {2, 5, 9, 9}), kImage);
  Value* a = through(net, unary("relu", conv(x, "a", 18, {3, 3}, {{"padding", Ints{1, 1}}})), kHidden);
  Value* b = through(net, op("max_pool2d.default", {{"self", a}, {"kernel_size", Ints{2, 2}}}), kHidden);
  Value* sum = through(net, unary("relu", op("add.Tensor", {{"self", b}, {"other", b}})), kHalf);
  Value* mean = through(net, op("mean.dim", {{"self", sum}, {"dim", Ints{2, 3}}}), kHalf);
  Value* y = op("linear.default", {{"input", mean}, {"weight", int8_weight(net, "w", {11, 18})}});
  const std::vector<Stage> stages = compare(y);
  ASSERT_EQ(stages.size(), lowered.model.nodes.size());
  for (const Stage& stage : stages) {
    EXPECT_TRUE(stage.holds()) << stage.node;
    // A mean over an image is [N, C, 1, 1] in the model and [N, C] in the program.
    EXPECT_TRUE(stage.alone && stage.in_chain) << stage.node << ", " << stage.value;
    EXPECT_TRUE(stage.with.empty()) << stage.node;
  }
  EXPECT_EQ(stages[0].alone->differing, 0);
  EXPECT_TRUE(std::isinf(stages[0].in_chain->sqnr));
  EXPECT_EQ(stages[1].node, "a");
  EXPECT_EQ(stages[1].operation, "Layer");
  EXPECT_EQ(stages[1].sizes, (std::vector<int64_t>{2, 18, 9, 9}));
  EXPECT_FALSE(stages.back().is_codes);
  EXPECT_GT(stages.back().alone->sqnr, 80);
}

TEST_F(CompareStages, FindsTheNodeThatIsWrong) {
  Value* x = through(net, net.input("x", {1, 5, 9, 9}), kImage);
  Value* a = through(net, conv(x, "a", 18, {1, 1}), kHidden);
  Value* b = through(net, conv(a, "b", 7, {1, 1}), kHidden);
  const Program program = net.returns({through(net, conv(b, "c", 7, {1, 1}), kHidden)});
  RuntimeModel made = lower_to_runtime(program.clone(), "a test");
  auto& layer = std::get<format::Layer>(made.model.nodes[2].operation);
  std::vector<float> offset(layer.offset.begin(), layer.offset.end());
  offset[3] += 5;  // one channel is five steps off
  layer.offset = offset;
  const std::vector<Stage> stages = compare_stages(program, made.model, net.examples());
  EXPECT_TRUE(stages[1].holds());
  EXPECT_EQ(stages[2].node, "b");
  EXPECT_FALSE(stages[2].holds());
  EXPECT_GE(stages[2].alone->steps, 4);
  EXPECT_LE(stages[2].alone->steps, 6);
  EXPECT_GE(stages[2].alone->differing, 70) << "of 81 pixels, but for those that are clamped";
  EXPECT_TRUE(stages[3].holds()) << "alone, on the program's own values";
  EXPECT_GT(stages[3].in_chain->differing, stages[3].alone->differing);
}

TEST_F(CompareStages, ClampsThatAreFusedHaveTheCodesBehindThem) {
  Value* x = through(net, net.input("x", {1, 5, 9, 9}), kImage);
  // Quantized before and after the clamp, on one grid: lowering leaves one of the two.
  Value* a = through(net, conv(x, "a", 18, {1, 1}), kHidden);
  Value* y = through(net, unary("relu", a), kHidden);
  const std::vector<Stage> stages = compare(through(net, conv(y, "b", 4, {1, 1}), kHidden));
  const Stage& stage = find(stages, y->producer()->input("input")->name());
  EXPECT_EQ(stage.node, "a");
  EXPECT_TRUE(stage.alone && stage.holds());
}

TEST_F(CompareStages, WhatIsQuantizedInFrontOfAMovementStandsForItsNumbers) {
  Value* x = through(net, net.input("x", {1, 5, 6, 6}), kImage);
  Value* a = unary("relu", conv(x, "a", 4, {1, 1}));
  Value* b = conv(x, "b", 4, {1, 1});
  Value* input = net.program().graph().find_value("x");
  Value* y =
      through(net, op("cat.default", {{"tensors", std::vector<Value*>{a, b, input}}, {"dim", int64_t{1}}}), kHidden);
  const std::vector<Stage> stages = compare(y);
  for (const Stage& stage : stages) EXPECT_TRUE(stage.alone && stage.holds()) << stage.node << ", " << stage.value;
  EXPECT_EQ(stages.size(), 6u) << "the input on two grids, two layers, cat, dequantize";
}

TEST_F(CompareStages, ValuesThatTheProgramDoesNotHaveGoWithTheNextNode) {
  Value* x = through(net, net.input("x", {1, 4, 5, 5}), kImage);
  Value* up = net.op("aten.conv_transpose2d.input",
                     {{"input", x}, {"weight", int8_weight(net, "up", {4, 1, 2, 2})}, {"stride", Ints{2, 2}}}, "up");
  // Scales along axis 1, of which there is one.
  Node* weight = up->producer()->input("weight")->producer();
  weight->set_arg("axis", int64_t{1});
  weight->set_arg("scales", net.buffer("one_scale", at::rand({1}) * 0.004 + 0.001));
  weight->set_arg("zero_points", net.buffer("one_zero_point", at::zeros({1}, at::kLong)));
  const std::vector<Stage> stages = compare(through(net, up, kHidden));
  ASSERT_EQ(stages.size(), 4u);
  EXPECT_EQ(stages[1].operation, "Layer");
  EXPECT_FALSE(stages[1].alone.has_value());
  EXPECT_TRUE(stages[1].holds()) << "nothing is compared";
  EXPECT_EQ(stages[2].operation, "Rearrange");
  EXPECT_EQ(stages[2].with, (std::vector<size_t>{1}));
  EXPECT_TRUE(stages[2].alone && stages[2].holds());
}

TEST_F(CompareStages, InputsMustFit) {
  Value* x = through(net, net.input("x", {1, 5, 9, 9}), kImage);
  const Program program = net.returns({through(net, conv(x, "a", 18, {1, 1}), kHidden)});
  lowered = lower_to_runtime(program.clone(), "a test");
  EXPECT_EQ(error_text([&] { (void)compare_stages(program, lowered.model, {}); }),
            "compare: 0 inputs were given\n  allowed here: 1, as the model has");
  const at::Tensor small = net.examples()[0].slice(3, 0, 4);
  EXPECT_NE(error_text([&] { (void)compare_stages(program, lowered.model, {small}); }).find("x"), std::string::npos);
}

}  // namespace
}  // namespace torquant
