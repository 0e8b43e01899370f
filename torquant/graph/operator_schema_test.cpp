#include "torquant/graph/operator_schema.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

TEST(OperatorSchema, FindsOperatorsOfThisProcess) {
  EXPECT_NE(find_operator(OpId("aten.conv2d.default")), nullptr);
  EXPECT_EQ(find_operator(OpId("aten.conv2d.default")), find_operator(OpId("aten.conv2d.default")));
  EXPECT_EQ(find_operator(OpId("aten.conv9d.default")), nullptr);
  EXPECT_EQ(find_operator(OpId("higher_order.cond")), nullptr);
}

TEST(OperatorSchema, DefaultsFillWhatIsLeftOut) {
  const Program program = parse_program(
      "input %x : f32[2, 3, 8, 8]\nparameter %w : f32[4, 3, 3, 3] = \"w\"\n%y : f32[2, 4, 3, 3] = "
      "aten.conv2d.default(%x, %w, stride=[2], padding=1)\nreturn %y");
  const Node& node = *program.graph().begin();
  EXPECT_TRUE(is_none(arg_or_default(node, "bias")));
  EXPECT_EQ(int_arg(node, "groups"), 1);
  EXPECT_EQ(ints_arg(node, "stride", 2), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(ints_arg(node, "padding", 2), (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(ints_arg(node, "dilation", 2), (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(error_text([&] { arg_or_default(node, "colour"); }),
            "%y (aten.conv2d.default): argument \"colour\" is not one of this operator");
  EXPECT_EQ(error_text([&] { int_arg(node, "stride"); }),
            "%y (aten.conv2d.default): argument \"stride\" is not an integer");
  EXPECT_EQ(error_text([&] { ints_arg(node, "weight"); }),
            "%y (aten.conv2d.default): argument \"weight\" is not a list of integers");
}

TEST(OperatorSchema, TypedArguments) {
  const Program program =
      parse_program("input %x : f32[2]\n%y : f32[2] = aten.dropout.default(%x, 1, \"no\")\nreturn %y");
  const Node& node = *program.graph().begin();
  EXPECT_EQ(double_arg(node, "p"), 1.0);
  EXPECT_EQ(error_text([&] { bool_arg(node, "train"); }),
            "%y (aten.dropout.default): argument \"train\" is not true or false");
  EXPECT_EQ(error_text([&] { double_arg(node, "input"); }),
            "%y (aten.dropout.default): argument \"input\" is not a number");
  const Program bare = parse_program("input %x : f32[2]\n%y : f32[2] = aten.dropout.default(%x)\nreturn %y");
  EXPECT_EQ(error_text([&] { double_arg(*bare.graph().begin(), "p"); }),
            "%y (aten.dropout.default): argument \"p\" is required and missing");
}

TEST(OperatorSchema, NamesOfPositions) {
  EXPECT_EQ(schema_arg_name(OpId("aten.linear.default"), 1), "weight");
  EXPECT_EQ(schema_arg_name(OpId("aten.linear.default"), 3), "");
  EXPECT_EQ(schema_arg_name(OpId("no.such.op"), 0), "");
  EXPECT_TRUE(is_keyword_only(OpId("aten.add.Tensor"), "alpha"));
  EXPECT_FALSE(is_keyword_only(OpId("aten.add.Tensor"), "other"));
}

}  // namespace
}  // namespace torquant
