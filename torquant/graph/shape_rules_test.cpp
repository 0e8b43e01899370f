// The rules against LibTorch: each call is run, and what comes out must be what was inferred, at two batch sizes.
#include "torquant/graph/shape_rules.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

constexpr const char* kInputs = R"(
range s 2..9 example 4
input %x : f32[s, 6, 10, 12]
input %image : f32[6, 10, 12]
input %seq : f32[s, 5, 8]
input %line : f32[s, 6, 20]
input %cube : f32[s, 6, 5, 7, 9]
input %m : f32[s, 8]
input %v : f32[8]
input %one : f32[1, 8]
input %scalar : f64[]
input %d : f64[s, 8]
input %h : bf16[s, 8]
input %i : i64[s, 5]
input %i8 : i8[s, 8]
input %flag : b8[s, 8]
input %w1 : f32[4, 6, 3]
input %w2 : f32[4, 6, 3, 3]
input %dw : f32[12, 1, 3, 5]
input %w3 : f32[4, 6, 3, 3, 3]
input %t1 : f32[6, 4, 3]
input %t2 : f32[6, 2, 3, 2]
input %t3 : f32[6, 4, 3, 3, 3]
input %w : f32[7, 8]
input %b : f32[7]
input %c : f32[6]
input %scales : f32[8]
input %zeros : i64[8]
input %q : f32[s, 2, 5, 8]
input %kv : f32[s, 2, 7, 8]
)";

std::vector<at::Tensor> inputs_of(const Program& program, int64_t batch) {
  std::vector<at::Tensor> tensors;
  for (const Value* value : program.user_inputs()) {
    std::vector<int64_t> sizes;
    for (const Dim& dim : value->tensor().sizes) sizes.push_back(evaluate(dim, {{"s", batch}}).value());
    tensors.push_back(at::zeros(sizes, value->tensor().dtype));
  }
  return tensors;
}

// Infers `call` and runs it at two batch sizes.
void expect_rule(const std::string& call, const std::string& results = "%y") {
  SCOPED_TRACE(call);
  Program program;
  ASSERT_EQ(error_text([&] { program = parse_program(fmt::format("{}{} = {}\nreturn", kInputs, results, call)); }), "");
  std::vector<Argument> outputs;
  const Node& node = *program.graph().begin();
  for (Value* value : node.values()) {
    outputs.emplace_back(value);
    program.output_specs().emplace_back();
  }
  program.graph().set_outputs(outputs);
  for (const int64_t batch : {4, 2}) {
    const std::vector<at::Tensor> tensors = Interpreter(program).forward(inputs_of(program, batch));
    for (size_t i = 0; i < tensors.size(); ++i) {
      const TensorMeta& meta = node.values()[i]->tensor();
      EXPECT_EQ(c10::toString(meta.dtype), std::string(c10::toString(tensors[i].scalar_type())));
      std::vector<int64_t> sizes;
      for (const Dim& dim : meta.sizes) sizes.push_back(evaluate(dim, {{"s", batch}}).value_or(-1));
      EXPECT_EQ(sizes, tensors[i].sizes().vec()) << "batch " << batch;
    }
  }
}

TEST(ShapeRules, Elementwise) {
  for (const char* call : {"aten.relu.default(%x)",
                           "aten.hardtanh.default(%m, 0, 6)",
                           "aten.gelu.default(%m)",
                           "aten.silu.default(%m)",
                           "aten.dropout.default(%m, 0.5, false)",
                           "aten.dropout_.default(%m, 0.5, false)",
                           "aten.contiguous.default(%m)",
                           "aten.clone.default(%m)",
                           "aten.sigmoid.default(%i8)",
                           "aten.sigmoid.default(%h)",
                           "aten.rsqrt.default(%d)",
                           "aten.exp.default(%flag)",
                           "aten.round.default(%d)",
                           "aten.neg.default(%i)",
                           "aten.logical_not.default(%m)",
                           "aten.abs.default(%i8)",
                           "aten.relu_.default(%m)",
                           "aten.add_.Tensor(%m, %h)",
                           "aten.tanh.default(%m)",
                           "aten.leaky_relu.default(%m)",
                           "aten.hardswish.default(%m)",
                           "aten.hardsigmoid.default(%m)",
                           "aten.elu.default(%m)",
                           "aten.relu6.default(%m)"}) {
    expect_rule(call);
  }
}

TEST(ShapeRules, PromotionAndBroadcasting) {
  for (const char* other : {"%v", "%one", "%scalar", "%d", "%h", "%i8", "%flag", "3", "2.5", "true"}) {
    for (const char* self : {"%m", "%d", "%h", "%i8", "%flag", "%scalar"}) {
      for (const char* op : {"add", "mul", "div", "eq", "lt"}) {
        expect_rule(fmt::format("aten.{}.Tensor({}, {})", op, self, other));
      }
    }
  }
  for (const char* call : {"aten.sub.Tensor(%m, 1)",
                           "aten.rsub.Scalar(%i8, 1)",
                           "aten.rsub.Scalar(%i8, 1.5)",
                           "aten.pow.Tensor_Scalar(%m, 2)",
                           "aten.pow.Tensor_Scalar(%i8, 2)",
                           "aten.pow.Tensor_Scalar(%i8, 0.5)",
                           "aten.pow.Scalar(2, %i8)",
                           "aten.pow.Tensor_Tensor(%m, %d)",
                           "aten.maximum.default(%m, %d)",
                           "aten.div.Tensor_mode(%i8, 2, rounding_mode=\"floor\")",
                           "aten.div.Tensor_mode(%i8, 2, rounding_mode=none)",
                           "aten.clamp.default(%m, 0)",
                           "aten.clamp.default(%i8, 0.5, 3)",
                           "aten.clamp.Tensor(%m, %v)",
                           "aten.clamp_min.default(%i8, 0)",
                           "aten.where.self(%flag, %m, %d)",
                           "aten.masked_fill.Scalar(%m, %flag, 1.0)",
                           "aten.__and__.Tensor(%flag, %flag)",
                           "aten.ge.Scalar(%m, 0)",
                           "aten.to.dtype(%m, torch.float16)",
                           "aten._to_copy.default(%m, dtype=torch.int8)",
                           "aten._to_copy.default(%m)",
                           "aten.type_as.default(%m, %h)",
                           "aten.zeros.default([2, 3])",
                           "aten.full.default([2], 1)",
                           "aten.full.default([2], 1.5)",
                           "aten.new_zeros.default(%h, [2])",
                           "aten.zeros_like.default(%h)",
                           "aten.ones.default([2], dtype=torch.bool)"}) {
    expect_rule(call);
  }
}

TEST(ShapeRules, ConvolutionsAndProducts) {
  for (const char* call : {"aten.conv1d.default(%line, %w1)",
                           "aten.conv1d.default(%line, %w1, none, [3], [2], [4])",
                           "aten.conv2d.default(%x, %w2, none, [2, 1], [1, 0])",
                           "aten.conv2d.default(%image, %w2, none, [1], [1], [2])",
                           "aten.conv2d.default(%x, %dw, none, [1, 1], [0, 2], [1, 1], 6)",
                           "aten.conv2d.padding(%x, %dw, none, [1, 1], \"same\", [1, 2], 6)",
                           "aten.conv2d.padding(%x, %w2, none, [2, 2], \"valid\")",
                           "aten.conv3d.default(%cube, %w3, none, [1, 2, 3], [1, 1, 1])",
                           "aten.conv_transpose1d.default(%line, %t1, none, [3], [1], [2])",
                           "aten.conv_transpose2d.input(%x, %t2, none, [2, 3], [1, 0], [1, 2], 2, [2, 1])",
                           "aten.conv_transpose3d.input(%cube, %t3, none, [2, 1, 2])",
                           "aten.linear.default(%seq, %w, %b)",
                           "aten.linear.default(%v, %w)",
                           "aten.matmul.default(%seq, %v)",
                           "aten.matmul.default(%v, %v)",
                           "aten.batch_norm.default(%x, %c, %c, %c, %c, false, 0.1, 1e-5, true)",
                           "aten.layer_norm.default(%seq, [8], %v, %v)",
                           "aten.group_norm.default(%x, 3)",
                           "aten.scaled_dot_product_attention.default(%q, %kv, %kv)",
                           "aten.embedding.default(%w, %i)"}) {
    expect_rule(call);
  }
}

TEST(ShapeRules, PoolsAndPads) {
  for (const char* call : {"aten.max_pool2d.default(%x, [3, 2])",
                           "aten.max_pool2d.default(%x, [3], [2], [1], [2])",
                           "aten.max_pool2d.default(%x, [3, 3], [2, 2], [1, 1], [1, 1], true)",
                           "aten.max_pool2d.default(%image, [2, 5], [3, 5], [1, 2], 1, true)",
                           "aten.avg_pool2d.default(%x, [2, 3], [2, 2], [0, 1], true)",
                           "aten.avg_pool1d.default(%line, [3])",
                           "aten.max_pool1d.default(%line, [4], [3])",
                           "aten.max_pool3d.default(%cube, [2, 2, 2])",
                           "aten.avg_pool3d.default(%cube, [2, 3, 2], [1, 1, 1])",
                           "aten.adaptive_avg_pool1d.default(%line, [3])",
                           "aten.adaptive_avg_pool2d.default(%x, [1, 1])",
                           "aten.adaptive_avg_pool2d.default(%x, [3, 5])",
                           "aten.adaptive_avg_pool3d.default(%cube, [1, 2, 3])",
                           "aten.pad.default(%x, [1, 2])",
                           "aten.pad.default(%x, [1, -2, 0, 3], \"constant\", 1.0)",
                           "aten.constant_pad_nd.default(%x, [1, 1, 1, 1, 2, 0])",
                           "aten.pixel_unshuffle.default(%x, 2)",
                           "aten.upsample_nearest2d.vec(%x, none, [2.0, 1.5])",
                           "aten.upsample_nearest2d.vec(%x, [7, 9], none)",
                           "aten.upsample_bilinear2d.vec(%x, none, false, [2.0, 2.0])"}) {
    expect_rule(call);
  }
  expect_rule("aten.max_pool2d_with_indices.default(%x, [2, 2])", "%y, %z");
  expect_rule("aten.adaptive_max_pool2d.default(%x, [2, 2])", "%y, %z");
}

TEST(ShapeRules, ViewsJoinsAndSplits) {
  for (const char* call : {"aten.view.default(%x, [-1, 6, 120])",
                           "aten.reshape.default(%x, [6, -1])",
                           "aten.reshape.default(%m, [2, -1])",
                           "aten.flatten.using_ints(%x)",
                           "aten.flatten.using_ints(%x, 1)",
                           "aten.flatten.using_ints(%x, 1, -2)",
                           "aten.flatten.using_ints(%scalar)",
                           "aten.unflatten.int(%seq, -1, [2, -1])",
                           "aten.permute.default(%x, [0, -1, 1, 2])",
                           "aten.transpose.int(%seq, 0, -1)",
                           "aten.t.default(%m)",
                           "aten.squeeze.default(%one)",
                           "aten.squeeze.dim(%one, 0)",
                           "aten.squeeze.dim(%m, 1)",
                           "aten.squeeze.dims(%one, [0, 1])",
                           "aten.unsqueeze.default(%m, -1)",
                           "aten.unsqueeze.default(%m, 0)",
                           "aten.expand.default(%one, [3, -1, 8])",
                           "aten.expand.default(%v, [2, 8])",
                           "aten.repeat.default(%m, [2, 3, 1])",
                           "aten.select.int(%seq, 1, -1)",
                           "aten.slice.Tensor(%seq, 1, 1, -1)",
                           "aten.slice.Tensor(%seq, 1, -3, 100, 2)",
                           "aten.slice.Tensor(%seq, 1, 4, 2)",
                           "aten.slice.Tensor(%seq)",
                           "aten.slice.Tensor(%seq, 0, 0, 9223372036854775807, 2)",
                           "aten.narrow.default(%seq, 1, 1, 3)",
                           "aten.cat.default([%m, %m, %one])",
                           "aten.cat.default([%m, %d], 1)",
                           "aten.cat.default([%i8, %flag], -1)",
                           "aten.stack.default([%m, %m], -1)",
                           "aten.stack.default([%v, %v, %v])",
                           "aten.gather.default(%m, 1, %i)"}) {
    expect_rule(call);
  }
  expect_rule("aten.chunk.default(%seq, 2, 1)", "[%a, %b2]");
  expect_rule("aten.chunk.default(%seq, 4, 1)", "[%a, %b2, %c2]");  // 5 in pieces of 2: three, not four
  expect_rule("aten.split.Tensor(%seq, 3, 2)", "[%a, %b2, %c2]");
  expect_rule("aten.split_with_sizes.default(%seq, [1, 4], 1)", "[%a, %b2]");
  expect_rule("aten.unbind.int(%one)", "[%a]");
}

TEST(ShapeRules, Reductions) {
  for (const char* call :
       {"aten.mean.dim(%x, [2, 3])", "aten.mean.dim(%x, [-1], true)", "aten.mean.default(%x)", "aten.sum.default(%i8)",
        "aten.sum.dim_IntList(%i8, [0])", "aten.sum.dim_IntList(%m, none)", "aten.sum.dim_IntList(%m, [], true)",
        "aten.mean.dim(%h, [0], dtype=torch.float32)", "aten.amax.default(%x, [1, 2])", "aten.amax.default(%x)",
        "aten.argmax.default(%x)", "aten.argmax.default(%x, 1, true)", "aten.softmax.int(%seq, -1)",
        "aten.log_softmax.int(%h, -1, torch.float32)", "aten._softmax.default(%m, 1, false)",
        "aten.cumsum.default(%i8, 0)", "aten.max.default(%m)"}) {
    expect_rule(call);
  }
  expect_rule("aten.max.dim(%seq, 1)", "%y, %z");
}

TEST(ShapeRules, InfersTheSizeOfAnAxisAsAScalar) {
  const Program program = parse_program(
      std::string(kInputs) + "%n = aten.sym_size.int(%x, 0)\n%y = aten.view.default(%x, [%n, -1])\nreturn %y");
  EXPECT_EQ(to_text(program.graph().find_value("y")->meta()), "f32[s, 720]");
}

TEST(ShapeRules, BatchSizesStaySymbolicThroughANet) {
  const Program program = parse_program(R"(
range s 1..64 example 4
parameter %w : f32[8, 3, 3, 3] = "w"
input %x : f32[s, 3, 2*s, 16]
%a = aten.conv2d.default(%x, %w, none, [2, 2], [1, 1])
%b = aten.flatten.using_ints(%a, 1)
%c = aten.cat.default([%b, %b])
return %c
)");
  EXPECT_EQ(to_text(program.graph().find_value("a")->meta()), "f32[s, 8, 1 + FloorDiv(-1 + 2*s, 2), 8]");
  EXPECT_EQ(evaluate(program.graph().find_value("c")->tensor().sizes[0], {{"s", 5}}), 10);
}

TEST(ShapeRules, NothingForAnOperatorWithoutARule) {
  const Program program = parse_program("input %x : f32[2]\n%y : f32[2] = aten.sort.default(%x) as %sort\nreturn %y");
  EXPECT_FALSE(infer(*program.graph().begin()).has_value());
  EXPECT_FALSE(has_shape_rule(OpId("aten.sort.default")));
  EXPECT_TRUE(has_shape_rule(OpId("aten.relu_.default")));
}

}  // namespace
}  // namespace torquant
