#include "torquant/quantizer/recipe_quantizer.h"

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

// x → a.fc (linear) → relu → b.fc (linear) → head.fc (linear)
Program three_layers() {
  Program program;
  Graph& graph = program.graph();
  const auto meta = [] { return contiguous_meta(at::kFloat, {int64_t{2}, int64_t{4}}); };
  Value* x = graph.add_input("x", meta());
  program.input_specs().push_back({});
  for (const std::string name : {"a", "b", "head"}) {
    Value* weight = program.add_parameter(name + ".fc.weight", at::ones({4, 4}));
    Node* node = graph.append(ops::kLinear, "linear_" + name, {{"input", x}, {"weight", weight}});
    node->set_metadata("nn_module_stack", name + ",L['self']." + name + ".fc,torch.nn.modules.linear.Linear");
    x = graph.add_output(node, "linear_" + name, meta());
    if (name != "a") continue;
    node = graph.append(ops::kRelu, "relu", {{"self", x}});
    x = graph.add_output(node, "relu", meta());
  }
  graph.set_outputs({x});
  program.output_specs().push_back({});
  return program;
}

struct Outcome {
  Program program;
  RecipeQuantizer quantizer;
  Annotations annotations = {};

  explicit Outcome(Recipe recipe) : program(three_layers()), quantizer(std::move(recipe)) {
    quantizer.annotate(program, annotations);
  }
  const QuantizationAnnotation* annotation(const std::string& node) const {
    return annotations.find(program.graph().find_node(node));
  }
  // The weight's qscheme tells per channel from per tensor.
  bool per_channel(const std::string& node) const {
    const Node* layer = program.graph().find_node(node);
    return is_per_channel(options_of(*annotation(node)->find_input(layer->input("weight")))->qscheme);
  }
};

const Rule kHeadInFloat = {.select = {.module = "head.*"}, .scheme = "float"};

TEST(RecipeQuantizer, TheSchemeGoesToEverything) {
  const Outcome outcome({.name = "r", .scheme = "xnnpack-static"});
  for (const char* node : {"linear_a", "linear_b", "linear_head"}) {
    ASSERT_NE(outcome.annotation(node), nullptr) << node;
    EXPECT_TRUE(outcome.per_channel(node)) << node;
    EXPECT_EQ(outcome.quantizer.decision(node)->source, "recipe");
    EXPECT_TRUE(outcome.quantizer.decision(node)->served);
  }
  EXPECT_FALSE(Outcome({.name = "r", .scheme = "xnnpack-static-per-tensor"}).per_channel("linear_a"));
}

TEST(RecipeQuantizer, TheLastRuleWins) {
  const Outcome outcome({.name = "r",
                         .scheme = "xnnpack-static",
                         .rules = {{.select = {.op = "aten.linear.default"}, .scheme = "xnnpack-static-per-tensor"},
                                   {.select = {.module = "b.fc"}, .scheme = "xnnpack-static"},
                                   kHeadInFloat}});
  EXPECT_FALSE(outcome.per_channel("linear_a"));
  EXPECT_TRUE(outcome.per_channel("linear_b"));
  EXPECT_EQ(outcome.annotation("linear_head"), nullptr);
  EXPECT_EQ(*outcome.annotations.reason(outcome.program.graph().find_node("linear_head")),
            "left in float by rule 3 (module head.*)");
  EXPECT_EQ(outcome.quantizer.decision("linear_b")->source, "rule 2 (module b.fc)");
  EXPECT_FALSE(outcome.quantizer.decision("linear_head")->served);
}

TEST(RecipeQuantizer, AnySkipBeatsTheSchemeForAllAndIsBeatenByALaterRuleOnly) {
  const Rule everything_in_float = {.select = {.op = "aten.*"}, .scheme = "float"};
  const Rule head_quantized = {.select = {.module = "head.*"}, .scheme = "xnnpack-static"};
  const Outcome skipped({.name = "r", .scheme = "xnnpack-static", .rules = {everything_in_float, head_quantized}});
  EXPECT_EQ(skipped.annotation("linear_a"), nullptr);
  EXPECT_EQ(skipped.annotation("linear_b"), nullptr);
  EXPECT_NE(skipped.annotation("linear_head"), nullptr);
  EXPECT_EQ(skipped.quantizer.decided_by_rule(), (std::vector<size_t>{3, 1}));
  // The skip last: it takes the head back, and the rule before it decides over nothing.
  RecipeQuantizer none({.name = "r", .scheme = "xnnpack-static", .rules = {head_quantized, everything_in_float}});
  Annotations annotations;
  none.annotate(three_layers(), annotations);
  EXPECT_EQ(annotations.size(), 0U);
  EXPECT_EQ(none.decided_by_rule(), (std::vector<size_t>{0, 4}));
}

TEST(RecipeQuantizer, FirstAndLastLayerStayInFloat) {
  const Outcome outcome(
      {.name = "r", .scheme = "xnnpack-static", .rules = {{.select = {.index = {0, -1}}, .scheme = "float"}}});
  EXPECT_EQ(outcome.annotation("linear_a"), nullptr);
  EXPECT_EQ(outcome.annotation("relu"), nullptr);  // goes with the layer it follows
  EXPECT_NE(outcome.annotation("linear_b"), nullptr);
  EXPECT_EQ(outcome.annotation("linear_head"), nullptr);
}

TEST(RecipeQuantizer, RefusesARecipeOfOnesOwnThatIsNone) {
  EXPECT_TRUE(error_text([] {
                RecipeQuantizer({.name = "mine", .scheme = "x86-statics"});
              }).starts_with("mine: scheme: unknown scheme \"x86-statics\""));
}

TEST(RecipeQuantizer, AnActivationGoesWithTheLayerItFollows) {
  // The rule names the layer alone; layer and ReLU are one pattern, whose output is what is quantized.
  const Outcome outcome({.name = "r",
                         .scheme = "xnnpack-static",
                         .rules = {{.select = {.module = "a.fc"}, .scheme = "xnnpack-static-per-tensor"}}});
  EXPECT_FALSE(outcome.per_channel("linear_a"));
  EXPECT_FALSE(outcome.annotation("linear_a")->output_qspec.has_value());
  ASSERT_NE(outcome.annotation("relu"), nullptr);
  EXPECT_TRUE(outcome.annotation("relu")->output_qspec.has_value());
}

TEST(RecipeQuantizer, EverySchemeHasAQuantizer) {
  for (const std::string& scheme : built_in_recipes()) {
    EXPECT_NE(Outcome({.name = scheme, .scheme = scheme}).annotation("linear_a"), nullptr) << scheme;
    EXPECT_TRUE(serves(RecipeQuantizer({.name = scheme, .scheme = scheme}).capabilities(), ops::kLinear)) << scheme;
  }
}

TEST(RecipeQuantizer, SchemesOfTwoBackendsInOneRecipe) {
  const Outcome outcome({.name = "r",
                         .scheme = "xnnpack-static",
                         .rules = {{.select = {.module = "a.fc"}, .scheme = "x86-static"}, kHeadInFloat}});
  const auto dtype = [&](const char* node, const char* of) {
    const Node* layer = outcome.program.graph().find_node(node);
    return options_of(*outcome.annotation(node)->find_input(layer->input(of)))->dtype;
  };
  EXPECT_EQ(dtype("linear_a", "input"), DType::kUInt8);
  EXPECT_EQ(dtype("linear_b", "input"), DType::kInt8);
  EXPECT_EQ(outcome.annotation("linear_head"), nullptr);
}

// Only linear layers are asked for, so that a convolution in float is no less than asked.
TEST(RecipeQuantizer, ADynamicSchemeServesWhatItCanDoDynamically) {
  const auto serves_conv = [](const char* scheme) {
    return serves(RecipeQuantizer({.name = scheme, .scheme = scheme}).capabilities(), ops::kConv2d);
  };
  EXPECT_FALSE(serves_conv("int8-dynamic"));
  EXPECT_TRUE(serves_conv("xnnpack-dynamic"));
  EXPECT_TRUE(serves_conv("x86-dynamic"));
  EXPECT_FALSE(serves(RecipeQuantizer({.name = "r", .scheme = "xnnpack-dynamic"}).capabilities(), ops::kAdd));
  EXPECT_TRUE(serves(RecipeQuantizer({.name = "r", .scheme = "xnnpack-static"}).capabilities(), ops::kAdd));
}

TEST(RecipeQuantizer, StaticAndDynamicSchemesInOneRecipe) {
  const Outcome outcome(
      {.name = "r", .scheme = "int8-dynamic", .rules = {{.select = {.module = "head.*"}, .scheme = "int8-static"}}});
  const auto is_dynamic = [&](const char* node) {
    const Node* layer = outcome.program.graph().find_node(node);
    return options_of(*outcome.annotation(node)->find_input(layer->input("input")))->is_dynamic;
  };
  EXPECT_TRUE(is_dynamic("linear_a"));
  EXPECT_TRUE(is_dynamic("linear_b"));
  EXPECT_FALSE(is_dynamic("linear_head"));
}

TEST(RecipeQuantizer, RefusesARuleThatSelectsNothing) {
  EXPECT_EQ(error_text([] {
              Outcome({.name = "r.json",
                       .scheme = "xnnpack-static",
                       .rules = {kHeadInFloat, {.select = {.module = "tail.*"}, .scheme = "float"}}});
            }),
            "r.json: rule 2: module tail.* selects nothing of the program\n"
            "  to go on: no module of the program is tail.*; `torquant inspect PROGRAM --layers` lists modules and "
            "operators");
}

TEST(RecipeQuantizer, RefusesAQuantizedProgram) {
  Program program = three_layers();
  program.graph().append(ops::kQuantizePerTensor, "quantize", {});
  RecipeQuantizer quantizer({.name = "xnnpack-static", .scheme = "xnnpack-static"});
  Annotations annotations;
  EXPECT_EQ(error_text([&] { quantizer.annotate(program, annotations); }),
            "xnnpack-static: the program is quantized already: it holds %quantize "
            "(quantized_decomposed.quantize_per_tensor.default)\n  to go on: start from the float program");
}

}  // namespace
}  // namespace torquant
