#include "torquant/graph/program.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"
#include "torquant/graph/verifier.h"

namespace torquant {
namespace {

constexpr const char* kNet = R"(
parameter %w : f32[4, 3] = "fc.weight"
parameter %tied : f32[4, 3] = "head.weight" tied "fc.weight"
buffer %mask : b8[4] = "mask" non-persistent
input %x : f32[2, 3]
%y = aten.linear.default(%x, %w) @ fc
return %y
)";

TEST(Program, StateComesBeforeTheInputsOfTheCaller) {
  Program program = parse_program(kNet);
  Value* bias = program.add_parameter("fc.bias", at::ones({4}));
  Value* scale = program.add_buffer("fc.scale", at::ones({4}), /*persistent=*/false);
  EXPECT_EQ(bias->name(), "p_fc_bias");
  EXPECT_EQ(scale->name(), "b_fc_scale");
  EXPECT_EQ(value_of(program.graph().inputs()[5]), program.graph().find_value("x"));
  EXPECT_EQ(program.spec_of(scale)->persistent, false);
  EXPECT_TRUE(program.tensor_of(bias)->equal(at::ones({4})));
  EXPECT_EQ(program.user_inputs().size(), 1u);
  verify(program);
  EXPECT_EQ(error_text([&] { program.add_buffer("fc.bias", at::ones({1})); }),
            "program: the state already has a tensor \"fc.bias\"");
}

TEST(Program, SpecAndTensorOfOtherValuesAreNull) {
  const Program program = parse_program(kNet);
  EXPECT_EQ(program.tensor_of(program.graph().find_value("x")), nullptr);
  EXPECT_EQ(program.spec_of(program.graph().find_value("y")), nullptr);
  EXPECT_EQ(program.spec_of(nullptr), nullptr);
  EXPECT_EQ(program.spec_of(program.graph().find_value("x"))->kind, InputKind::kUser);
}

TEST(Program, UniqueAndRenamedStateNames) {
  Program program = parse_program(kNet);
  EXPECT_EQ(program.unique_state_name("fc.bias"), "fc.bias");
  EXPECT_EQ(program.unique_state_name("fc.weight"), "fc.weight_1");
  program.rename_state("fc.weight", "fc.weight_int8");
  EXPECT_EQ(program.find_state("fc.weight"), nullptr);
  EXPECT_NE(program.tensor_of(program.graph().find_value("w")), nullptr);
  verify(program);
}

TEST(Program, ErasingAnInputErasesItsTensorUnlessAnotherReadsIt) {
  Program program = parse_program(kNet);
  program.erase_input(program.graph().find_value("mask"));
  EXPECT_EQ(program.find_state("mask"), nullptr);
  EXPECT_EQ(program.graph().find_value("mask"), nullptr);
  EXPECT_EQ(error_text([&] { program.erase_input(program.graph().find_value("w")); }),
            "graph: input %w cannot be removed: fc (%y, aten.linear.default) reads it");
  verify(program);

  Program shared = parse_program(
      "parameter %a : f32[2] = \"w\"\nparameter %b : f32[2] = \"w\"\ninput %x : f32[2]\n%y = aten.mul.Tensor(%x, "
      "%a)\nreturn %y");
  shared.erase_input(shared.graph().find_value("b"));
  EXPECT_NE(shared.find_state("w"), nullptr);
  verify(shared);
}

TEST(Program, ACloneSharesTensorsButNotTheGraph) {
  Program program = parse_program(R"(
parameter %w : f32[4, 3] = "w"
input %x : f32[2, 3]
input %p : b8[]
input 3
%y : f32[2, 3] = higher_order.cond(%p, graph "yes" {
  input %a : f32[2, 3]
  return single %a
}, graph "no" {
  input %a : f32[2, 3]
  %n = aten.neg.default(%a)
  return %n
}, [%x])
[%l, %r] = aten.chunk.default(%y, 2) as %chunk
return %l, %r, 4
)");
  Program copy = program.clone();
  EXPECT_EQ(to_text(copy), to_text(program));
  verify(copy);
  EXPECT_EQ(copy.find_state("w")->data_ptr(), program.find_state("w")->data_ptr());
  const auto body = [](const Program& p) {
    return std::get<SubgraphArgument>(p.graph().find_node("y")->args()[2].value).graph;
  };
  body(copy)->set_outputs({});
  copy.graph().set_outputs({});
  EXPECT_EQ(body(program)->outputs().size(), 1u);
  EXPECT_EQ(program.graph().outputs().size(), 3u);
}

}  // namespace
}  // namespace torquant
