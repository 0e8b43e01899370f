#include "torquant/io/pt2_signature.h"

#include <gtest/gtest.h>

#include "tests/support/pt2_test.h"

namespace torquant {
namespace {

using Pt2Signature = Pt2Test;

TEST_F(Pt2Signature, EveryKindIsReadAsItWasWritten) {
  const Program program = parse_program(kNet);
  for (const OutputSpec& spec :
       {OutputSpec{OutputKind::kLoss, ""}, OutputSpec{OutputKind::kParameterMutation, "p"},
        OutputSpec{OutputKind::kUserInputMutation, "x"}, OutputSpec{OutputKind::kGradientToParameter, "p"},
        OutputSpec{OutputKind::kGradientToUserInput, "x"}}) {
    Program written = program.clone();
    written.output_specs()[1] = spec;
    Program read = program.clone();
    read.input_specs().clear();
    read.output_specs().clear();
    pt2::read_signature(read, pt2::write_signature(written));
    for (size_t i = 0; i < program.input_specs().size(); ++i) {
      EXPECT_EQ(read.input_specs()[i].kind, written.input_specs()[i].kind) << i;
      EXPECT_EQ(read.input_specs()[i].target, written.input_specs()[i].target) << i;
      if (read.input_specs()[i].kind == InputKind::kBuffer) {
        EXPECT_EQ(read.input_specs()[i].persistent, written.input_specs()[i].persistent) << i;
      }
    }
    for (size_t i = 0; i < program.output_specs().size(); ++i) {
      EXPECT_EQ(read.output_specs()[i].kind, written.output_specs()[i].kind) << i;
      EXPECT_EQ(read.output_specs()[i].target, written.output_specs()[i].target) << i;
    }
  }
}

TEST_F(Pt2Signature, TokensAndObjectsCannotBeSaved) {
  Program program = parse_program(kNet);
  program.output_specs()[1] = {OutputKind::kToken, "t"};
  EXPECT_EQ(error_text([&] { pt2::write_signature(program); }), "t: an output of this kind cannot be saved");
  program.input_specs()[0] = {InputKind::kCustomObject, "o"};
  EXPECT_EQ(error_text([&] { pt2::write_signature(program); }), "o: an input of this kind cannot be saved");
}

TEST_F(Pt2Signature, RefusesWhatDoesNotFit) {
  EXPECT_EQ(error_after_model([](Json& model) { model["graph_module"]["signature"]["input_specs"].erase(0); }),
            "models/model.json: signature: 5 input specs for a graph of 6 inputs");
  EXPECT_NE(error_after_model([](Json& model) {
              model["graph_module"]["signature"]["output_specs"].erase(0);
            }).find("2 output specs for a graph of 3 outputs"),
            std::string::npos);
  EXPECT_EQ(error_after_model([](Json& model) {
              model["graph_module"]["signature"]["input_specs"][5] = {{"token", {{"arg", {{"name", "t"}}}}}};
            }),
            "models/model.json: inputs of kind \"token\" are not supported\n  allowed here: user_input, parameter, "
            "buffer, tensor_constant, constant_input");
}

}  // namespace
}  // namespace torquant
