#include "torquant/graph/verifier.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

constexpr const char* kNet = R"(
range s0 1..8 example 2
parameter %w : f32[4, 3] = "fc.weight"
buffer %count : i64[] = "count"
input %x : f32[s0, 3]
%linear = aten.linear.default(%x, %w) @ fc
%relu = aten.relu.default(%linear)
[%a, %b] = aten.chunk.default(%relu, 2, 1) as %chunk
%add = aten.add.Tensor(%count, 1)
return %a, %b, buffer_mutation("count") %add
)";

std::string error_of(const Program& program) {
  return error_text([&] { verify(program); });
}
std::string error_of(const std::string& text) { return error_of(parse_program(text)); }

TEST(Verifier, AcceptsAWholeProgram) { EXPECT_EQ(error_of(kNet), ""); }

TEST(Verifier, ValuesAreDefinedBeforeTheyAreRead) {
  Program program = parse_program(kNet);
  Graph& graph = program.graph();
  graph.move_before(graph.find_node("relu"), graph.find_node("linear"));
  EXPECT_EQ(error_of(program), "%relu (aten.relu.default): reads %linear before it is defined");
}

TEST(Verifier, ValuesOfAnotherGraphAreRefused) {
  Program program = parse_program(kNet);
  const Program other = parse_program(kNet);
  program.graph().find_node("relu")->set_arg("self", other.graph().find_value("linear"));
  EXPECT_EQ(error_of(program), "%relu (aten.relu.default): reads %linear of another graph");
  program.graph().find_node("relu")->set_arg("self", program.graph().find_value("linear"));
}

TEST(Verifier, ArgumentsAreTheSchemas) {
  EXPECT_EQ(error_of("input %x : f32[2]\n%y : f32[2] = aten.relu.default(%x, colour=3)\nreturn %y"),
            "%y (aten.relu.default): has no argument \"colour\"\n  allowed here: self");
  EXPECT_EQ(error_of("input %x : f32[2]\n%y : f32[2] = aten.relu.default()\nreturn %y"),
            "%y (aten.relu.default): argument \"self\" is missing\n  allowed here: Tensor");
  EXPECT_EQ(error_of("input %x : f32[2]\n%y : f32[2] = aten.relu.default(%x, self=%x)\nreturn %y"),
            "%y (aten.relu.default): argument \"self\" is given twice");
}

TEST(Verifier, ArgumentsAreOfAFittingKind) {
  const auto error = [](const std::string& call) {
    return error_of("input %x : f32[2, 2]\ninput %n : int\n%y : f32[2, 2] = " + call + "\nreturn %y");
  };
  EXPECT_EQ(error("aten.relu.default(\"x\")"),
            "%y (aten.relu.default): argument \"self\" is of a kind that does not fit\n  allowed here: Tensor");
  for (const char* call :
       {"aten.dropout.default(%x, \"p\", false)", "aten.dropout.default(%x, 0.5, 0.5)", "aten.softmax.int(%x, 1.5)",
        "aten.permute.default(%x, [0.5, 1.0])", "aten.permute.default(%x, [true, false])", "aten.cat.default(%x)",
        "aten.cat.default([%x, none])", "aten.gelu.default(%x, approximate=3)", "aten.linear.default(%x, %x, [1])",
        "aten.permute.default(%x, [\"a\"])"}) {
    EXPECT_NE(error(call).find("is of a kind that does not fit"), std::string::npos) << call;
  }
  for (const char* call : {"aten.mul.Tensor(%x, 3)", "aten.mul.Tensor(%x, %n)", "aten.softmax.int(%x, 1)",
                           "aten.to.dtype(%x, torch.float32)", "aten.linear.default(%x, %x, none)",
                           "aten.hardtanh.default(%x, 0, 6)", "aten.cat.default([%x])"}) {
    EXPECT_EQ(error(call).find("kind"), std::string::npos) << call;
  }
}

TEST(Verifier, ResultsAreAsManyAsTheOperatorGives) {
  EXPECT_EQ(error_of("input %x : f32[2]\n%y : f32[2], %z : f32[2] = aten.relu.default(%x)\nreturn %y"),
            "%y (aten.relu.default): 2 results\n  allowed here: 1");
  EXPECT_EQ(error_of("input %x : f32[2]\n%y : f32[1] = aten.chunk.default(%x, 2)\nreturn %y"),
            "%y (aten.chunk.default): result 0 is not a list\n  allowed here: Tensor[]");
  EXPECT_EQ(error_of("input %x : f32[2]\n[%y : f32[2]] = aten.relu.default(%x)\nreturn %y"),
            "%y (aten.relu.default): result 0 is a list\n  allowed here: Tensor");
}

TEST(Verifier, RecordedTypesFollowFromTheShapeRules) {
  const auto error = [](const std::string& type) {
    return error_of("range s0 1..8 example 2\nparameter %w : f32[4, 3] = \"w\"\ninput %x : f32[s0, 3]\n%y : " + type +
                    " = aten.linear.default(%x, %w) @ head.fc\nreturn %y");
  };
  EXPECT_EQ(error("f32[s0, 4]"), "");
  EXPECT_EQ(error("f32[s0, 5]"),
            "head.fc (%y, aten.linear.default): %y is recorded as f32[s0, 5], but its size on axis 1 does not follow "
            "from what the node reads\n  allowed here: f32[s0, 4]");
  EXPECT_NE(error("f16[s0, 4]").find("its dtype does not follow"), std::string::npos);
  EXPECT_NE(error("f32[4]").find("its rank does not follow"), std::string::npos);
  EXPECT_NE(error("f32[3, 4]").find("its size on axis 0 does not follow"), std::string::npos);
  EXPECT_NE(error("int").find("its kind does not follow"), std::string::npos);
}

TEST(Verifier, TheSignatureFitsInputsOutputsAndState) {
  Program program = parse_program(kNet);
  program.input_specs().pop_back();
  EXPECT_EQ(error_of(program), "signature: 2 input specs for 3 inputs");

  program = parse_program(kNet);
  program.output_specs().push_back({});
  EXPECT_EQ(error_of(program), "signature: 4 output specs for 3 outputs");

  program = parse_program(kNet);
  program.erase_state("fc.weight");
  EXPECT_EQ(error_of(program), "fc.weight: an input reads this tensor, but the program does not hold it");

  program = parse_program(kNet);
  program.set_state("fc.weight", at::zeros({4, 2}));
  EXPECT_EQ(
      error_of(program),
      "fc.weight: input %w is recorded as f32[4, 3], the tensor differs in size on axis 1\n  allowed here: f32[4, 2]");

  program = parse_program(kNet);
  program.output_specs()[2].target = "none";
  EXPECT_EQ(error_of(program), "outputs: no tensor \"none\" to write to");

  EXPECT_EQ(error_of("input %x : f32[2]\n%y = aten.neg.default(%x)\nreturn user_input_mutation(\"x\") %y"), "");
  EXPECT_EQ(error_of("input %x : f32[2]\n%y = aten.neg.default(%x)\nreturn user_input_mutation(\"y\") %y"),
            "outputs: no input \"y\" to write to");
}

TEST(Verifier, LooksIntoSubgraphs) {
  const std::string error = error_of(R"(
input %x : f32[2]
input %p : b8[]
%y : f32[2] = higher_order.cond(%p, graph "yes" {
  input %a : f32[2]
  %bad : f32[3] = aten.relu.default(%a) as %relu
  return %bad
}, graph "no" {
  input %a : f32[2]
  return %a
}, [%x])
return %y
)");
  EXPECT_EQ(error,
            "%y (higher_order.cond): subgraph \"yes\": %relu (aten.relu.default): %bad is recorded as f32[3], but its "
            "size on axis 0 does not follow from what the node reads\n  allowed here: f32[2]");
}

}  // namespace
}  // namespace torquant
