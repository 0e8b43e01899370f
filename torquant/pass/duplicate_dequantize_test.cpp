#include "torquant/pass/duplicate_dequantize.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant {
namespace {

const char* const kDequantize = "quantized_decomposed.dequantize_per_tensor.default";

Value* dequantized_input(TestProgram& net) {
  return net.op(kDequantize, {{"input", net.input("x", {4}, at::kChar)},
                              {"scale", 0.5},
                              {"zero_point", int64_t{0}},
                              {"quant_min", int64_t{-128}},
                              {"quant_max", int64_t{127}},
                              {"dtype", at::kChar}});
}

Value* annotated(Value* value) {
  value->producer()->set_metadata(kAnnotatedKey, "true");
  return value;
}

TEST(DuplicateDequantize, GivesEachAnnotatedReaderItsOwn) {
  TestProgram net;
  Value* d = dequantized_input(net);
  Value* a = annotated(net.op("aten.neg.default", {{"self", d}}, "layer.a"));
  Value* b = annotated(net.op("aten.abs.default", {{"self", d}}, "layer.b"));
  Value* c = net.op("aten.exp.default", {{"self", d}});
  Program program = net.returns({a, b, c});

  EXPECT_TRUE(duplicate_dequantize(program).changed);

  EXPECT_EQ(count_nodes(program, kDequantize), 3u);
  const auto read_by = [&](const char* op) { return only_node(program, op)->input("self"); };
  EXPECT_EQ(read_by("aten.neg.default")->users().size(), 1u);
  EXPECT_EQ(read_by("aten.neg.default")->producer()->module_path(), "layer.a");
  EXPECT_EQ(read_by("aten.abs.default")->producer()->module_path(), "layer.b");
  EXPECT_EQ(read_by("aten.exp.default")->name(), d->name()) << "the reader without annotation keeps the shared one";
  for (const Node& node : program.graph()) EXPECT_EQ(node.find_metadata(kAnnotatedKey), nullptr);
  EXPECT_FALSE(duplicate_dequantize(program).changed);
}

TEST(DuplicateDequantize, LeavesNoSharedOneWhenAllReadersAreAnnotated) {
  TestProgram net;
  Value* d = dequantized_input(net);
  Program program = net.returns(
      {annotated(net.op("aten.neg.default", {{"self", d}})), annotated(net.op("aten.abs.default", {{"self", d}}))});
  duplicate_dequantize(program);
  EXPECT_EQ(count_nodes(program, kDequantize), 2u);
}

TEST(DuplicateDequantize, SharesAScaleChosenAtRunTime) {
  TestProgram net;
  Value* x = net.input("x", {4});
  Value* scale = net.op(
      "quantized_decomposed.choose_qparams.tensor",
      {{"input", x}, {"quant_min", int64_t{-128}}, {"quant_max", int64_t{127}}, {"eps", 1e-5}, {"dtype", at::kChar}},
      "", "", 2);
  std::vector<NamedArgument> args = {{"input", x},
                                     {"scale", scale},
                                     {"zero_point", scale->producer()->values()[1]},
                                     {"quant_min", int64_t{-128}},
                                     {"quant_max", int64_t{127}},
                                     {"dtype", at::kChar}};
  args[0].value = net.op("quantized_decomposed.quantize_per_tensor.tensor", args);
  Value* d = net.op("quantized_decomposed.dequantize_per_tensor.tensor", args);
  Program program = net.returns(
      {annotated(net.op("aten.neg.default", {{"self", d}})), annotated(net.op("aten.abs.default", {{"self", d}}))});
  EXPECT_FALSE(duplicate_dequantize(program).changed);
  EXPECT_EQ(count_nodes(program, "quantized_decomposed.dequantize_per_tensor.tensor"), 1u);
}

}  // namespace
}  // namespace torquant
