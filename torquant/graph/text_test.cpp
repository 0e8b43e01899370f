#include "torquant/graph/text.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/error_text.h"
#include "torquant/graph/interpreter.h"

namespace torquant {
namespace {

constexpr const char* kConvNet = R"(range s6 1..64 example 4
parameter %p_conv_weight : f32[8, 3, 3, 3] = "conv.weight"
buffer %b_bn_running_mean : f32[8] = "bn.running_mean"
buffer %b_bn_running_var : f32[8] = "bn.running_var"
buffer %b_bn_num_batches_tracked : i64[] = "bn.num_batches_tracked"
buffer %b_mask : b8[2] = "mask" non-persistent
constant %c_lifted : f64[] = "lifted"
input %x : f32[s6, 3, 12, 12]
%conv2d : f32[s6, 8, 6, 6] = aten.conv2d.default(input=%x, weight=%p_conv_weight, bias=none, stride=[2, 2], padding=[1, 1]) @ features.conv(torch.nn.modules.conv.Conv2d)
%batch_norm : f32[s6, 8, 6, 6] = aten.batch_norm.default(input=%conv2d, weight=none, bias=none, running_mean=%b_bn_running_mean, running_var=%b_bn_running_var, training=false, momentum=0.1, eps=1e-05, cudnn_enabled=true) @ bn
[%getitem : f32[s6, 4, 6, 6], %getitem_1 : f32[s6, 4, 6, 6]] = aten.chunk.default(self=%batch_norm, chunks=2, dim=1) as %chunk
%values : f32[s6, 4, 6], %indices : i64[s6, 4, 6] = aten.max.dim(self=%getitem, dim=-1) as %max_1
aten._assert_tensor_metadata.default(a=%values, dtype=torch.float32, device=device("cpu"), layout=torch.strided) as %_assert
return %getitem, %getitem_1, %values
)";

// The program's text, and that of the program read from it.
void expect_reads_back(const std::string& text) { EXPECT_EQ(to_text(parse_program(text)), text); }

TEST(Text, ReadsBackWhatItPrints) { expect_reads_back(kConvNet); }

TEST(Text, EveryKindOfArgumentReadsBack) {
  expect_reads_back(R"(range s0 2.. example 3
range s1 ..
parameter %w : f32[2, 3] = "w" no-grad
parameter %codes : i32[2, 3] = "codes" no-grad
parameter %tied : f32[2, 3] = "tied" no-grad tied "w"
object %lib : object("__torch__.Lib") = "lib"
scalar 3 = "n"
input %x : f32[s0, s1]
input %t : bf16[2, 3] strides [1, 2] offset [4]
input %n : int(s0)
input true
unread i8[2, 3] strides [1, 2] = "left.over" parameter
%sym : int(1 + 2*s0) = aten.sym_size.int(self=%x, dim=0)
%f : float(2.0) = torch.sym_float(%sym)
%raw : bool("{\"as_expr\":1}") = _operator.eq(%sym, 2)
%b : bool(true) = _operator.lt(%f, -1e+20)
%all : f32[FloorDiv(s0, 2), 2*(1 + s1)] device "cuda:1" = my.op.default(none=none, yes=true, i=-3, f=1.0, g=1e-05, inf=inf, minus=-inf, nan=nan, s="a \"b\" \\ \n \x01", dtype=torch.int8, layout=torch.sparse_coo, format=torch.channels_last, device=device("cuda:0"), ints=[1, -2], floats=[1.0, inf], bools=[true, false], strings=["a", ""], tensors=[%x, none], sizes=[%sym, -1], constant=sizes[1, 2], empty=[], e1=floats[], e2=bools[], e3=strings[], e4=tensors[], e5=sizes[], opaque=opaque("{\"as_complex\":1}"), "odd name"=1)
%if_true : f32[2] = higher_order.cond(%b, graph "true_graph_0" {
  input %arg : f32[2]
  input 1
  %inner : f32[2] = higher_order.wrap_with_set_grad_enabled(false, graph "submod" {
    input %arg_1 : f32[2]
    return single %arg_1
  }, %arg) single_tensor_return(true)
  return %inner
}, [%x, %t])
%"weird name" : i32[] = higher_order.out_dtype(op("torch.ops.aten.mm.default"), torch.int32, %t)
_, %second : f8e4m3fn[1] = my.op.pair() as %pair
return %all, none, 4, buffer_mutation("left.over") %second
)");
}

TEST(Text, FloatsAndIntegersStayApart) {
  const Program program = parse_program("input %x : f32[2]\n%y : f32[2] = aten.mul.Tensor(%x, 3.0)\nreturn %y\n");
  const Node& node = *program.graph().begin();
  EXPECT_EQ(std::get<double>(*node.find_arg("other")), 3.0);
  EXPECT_EQ(std::get<Value*>(*node.find_arg("self")), program.graph().find_value("x"));
}

TEST(Text, PositionalArgumentsGetTheNamesOfTheSchema) {
  const Program program = parse_program(R"(
# a comment
input %x : f32[2, 3]
%y = aten.sum.dim_IntList(%x, [1],
                          true, dtype=torch.float64)   # broken over two lines
return %y
)");
  const Node& node = *program.graph().begin();
  EXPECT_EQ(node.args()[1].name, "dim");
  EXPECT_FALSE(node.args()[2].keyword);
  EXPECT_TRUE(node.args()[3].keyword);
  EXPECT_EQ(to_text(node),
            "%y : f64[2, 1] = aten.sum.dim_IntList(self=%x, dim=[1], keepdim=true, dtype=torch.float64)");
}

TEST(Text, ModulePathsBecomeAModuleStack) {
  const Program program = parse_program(kConvNet);
  const std::vector<ModuleScope> scopes = program.graph().find_node("conv2d")->module_stack();
  ASSERT_EQ(scopes.size(), 3u);
  EXPECT_EQ(scopes[0].path, "");
  EXPECT_EQ(scopes[1].path, "features");
  EXPECT_EQ(scopes[2].path, "features.conv");
  EXPECT_EQ(scopes[2].type, "torch.nn.modules.conv.Conv2d");
}

TEST(Text, TensorsDependOnTheirNameAlone) {
  const Program first = parse_program(kConvNet);
  const Program second = parse_program(kConvNet);
  for (const StateTensor& entry : first.state()) {
    EXPECT_TRUE(at::equal(entry.tensor, *second.find_state(entry.name))) << entry.name;
  }
  EXPECT_GT(first.find_state("conv.weight")->abs().max().item<float>(), 0.1f);
  EXPECT_LT(first.find_state("conv.weight")->abs().max().item<float>(), 2.0f);
  EXPECT_TRUE(first.find_state("conv.weight")->requires_grad());
  EXPECT_GE(first.find_state("bn.running_var")->min().item<float>(), 0.5f);
  EXPECT_EQ(first.find_state("bn.num_batches_tracked")->item<int64_t>(), 0);
  const Program tied =
      parse_program("parameter %a : f32[2] = \"a\"\nparameter %b : f32[2] = \"b\" tied \"a\"\nreturn %a\n");
  EXPECT_EQ(tied.find_state("a")->data_ptr(), tied.find_state("b")->data_ptr());
}

TEST(Text, ExampleSizesBecomeHints) {
  const Program program = parse_program("range s0 1..8 example 3\ninput %x : f32[s0, 1 + 2*s0]\nreturn %x\n");
  const TensorMeta& meta = program.user_inputs()[0]->tensor();
  EXPECT_EQ(hint_of(meta.sizes[0]), 3);
  EXPECT_EQ(hint_of(meta.sizes[1]), 7);
  EXPECT_EQ(program.ranges().at("s0").max, 8);
}

TEST(Text, ErrorsNameLineAndColumn) {
  const auto error = [](const std::string& text) { return error_text([&] { parse_program(text); }); };
  EXPECT_EQ(error("input %x : f31[2]\nreturn %x").substr(0, 41), "line 1, column 12: unknown type 'f31'\n  a");
  EXPECT_EQ(error("input %x : f32[2]\n%y = aten.relu.default(%z)\nreturn %y"),
            "line 2, column 24: %z is read before it is defined");
  EXPECT_EQ(error("input %x : f32[2]\n%y = my.op.default(%x)\nreturn %y"),
            "line 2, column 1: %y (my.op.default): has no shape rule\n  allowed here: results with their types: %x : "
            "f32[2, 3]");
  EXPECT_EQ(error("input %x : f32[2]\n%y = my.op.default(%x) @ line\nreturn %y").substr(0, 58),
            "line 2, column 1: line (%y, my.op.default): has no shape r");
  EXPECT_EQ(error("input %x : f32[2]\n%x = aten.relu.default(%x)\nreturn %x"),
            "line 2, column 1: graph: two values are named %x");
  EXPECT_EQ(error("input %x : f32[2]\n%y = relu(%x)\nreturn %x").substr(0, 38),
            "line 2, column 10: 'relu' is no operat");
  EXPECT_EQ(error("input %x : f32[2"), "line 1, column 17: expected ',', found the end");
  EXPECT_EQ(error("input %x : f32[2]\n"), "line 2, column 1: expected a node or 'return', found the end");
  EXPECT_EQ(error("input %x : f32[2]\nreturn %x rest"), "line 2, column 11: expected ',', found 'rest'");
  EXPECT_EQ(error("input %x : f32[2] strides [1, 1]\nreturn"), "line 1, column 15: 2 strides for 1 sizes");
  EXPECT_EQ(error("parameter %w : f32[s0] = \"w\"\nreturn"), "line 1, column 11: w: size s0 of a stored tensor");
  EXPECT_EQ(error("parameter %w : f32[2] = \"w\" tied \"v\"\nreturn"),
            "line 1, column 11: no tensor \"v\" stands before");
  EXPECT_EQ(error("input %x : f32[2]\n%y : f32[2] = my.op.default(%x, [1, \"a\"])\nreturn %y").substr(0, 64),
            "line 2, column 33: a list of mixed or unknown kinds\n  allowed he");
  EXPECT_EQ(error("input %x : f32[2]\n%y : f32[2] = my.op.default(%x, \"a\nreturn %y"),
            "line 2, column 33: a string without an end");
  EXPECT_EQ(error("input %x : f32[2]\n%y : f32[2] = my.op.default(%x, what)\nreturn %y"),
            "line 2, column 33: 'what' is no argument");
  EXPECT_EQ(error("range s0 1..99999999999999999999\nreturn"),
            "line 1, column 13: expected a 64-bit integer, found '99999999999999999999'");
  EXPECT_EQ(error("input %x : f32[-1]\nreturn"), "line 1, column 15: size -1");
}

// Whatever stands in the text, the answer is a program or an Error.
TEST(Text, DamagedTextIsAnErrorOrAProgram) {
  const std::string good = kConvNet;
  for (size_t length = 0; length < good.size(); length += 3) error_text([&] { parse_program(good.substr(0, length)); });
  const std::string deep = [] {
    std::string text = "%a : f32[1] = higher_order.cond(";
    for (int i = 0; i < 3000; ++i) text += "graph \"g\" { %a : f32[1] = higher_order.cond(";
    return text;
  }();
  EXPECT_NE(error_text([&] { parse_program(deep); }).find("nested too deeply"), std::string::npos);
  const std::string lists = "%a : f32[1] = my.op.default(" + std::string(100000, '[');
  EXPECT_NE(error_text([&] { parse_program(lists); }), "");
}

TEST(Text, ProgramsRun) {
  const Program program = parse_program(R"(
parameter %w : f32[4, 3] = "w"
parameter %b : f32[4] = "b"
input %x : f32[2, 3]
%linear = aten.linear.default(%x, %w, %b)
%relu = aten.relu.default(%linear)
return %relu
)");
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::ones({2, 3});
  const at::Tensor wanted = at::linear(x, *program.find_state("w"), *program.find_state("b")).relu();
  EXPECT_TRUE(Interpreter(program).forward({x}).at(0).equal(wanted));
}

}  // namespace
}  // namespace torquant
