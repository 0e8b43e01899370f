#include "torquant/explain/stage_model.h"

#include <gtest/gtest.h>

#include "tests/support/tiny_model.h"
#include "tests/support/tiny_transformer.h"

namespace torquant {
namespace {

// Its values: x, codes, wide, small, sum, twice, mean, flat, y; its nodes give them in this order, from codes on.
class StageModels : public testing::Test {
 protected:
  static std::vector<std::string> names(const format::Model& model) {
    std::vector<std::string> names;
    for (const format::Node& node : model.nodes) names.push_back(node.name);
    return names;
  }

  TinyModel tiny;
  std::vector<bool> all = std::vector<bool>(9, true);
};

using Names = std::vector<std::string>;
using Values = std::vector<format::ValueIndex>;

TEST_F(StageModels, OneNodeBetweenReals) {
  const StageModel stage = model_of_stage(tiny.model, 3, all);  // of small, which it adds too
  EXPECT_TRUE(format::check_model(stage.model).ok());
  EXPECT_EQ(names(stage.model), (Names{"in", "point", "out"}));
  EXPECT_EQ(stage.inputs, (Values{3}));
  EXPECT_EQ(stage.nodes, (std::vector<size_t>{3}));
  EXPECT_EQ(stage.model.outputs.size(), 1u);
}

TEST_F(StageModels, RealsNeedNoNodes) {
  EXPECT_EQ(names(model_of_stage(tiny.model, 0, all).model), (Names{"quantize", "out"}));
  EXPECT_EQ(names(model_of_stage(tiny.model, 7, all).model), (Names{"in", "linear"}));
}

TEST_F(StageModels, WhatIsNotKnownIsComputed) {
  all[5] = all[6] = false;
  const StageModel stage = model_of_stage(tiny.model, 6, all);
  EXPECT_TRUE(format::check_model(stage.model).ok());
  EXPECT_EQ(names(stage.model), (Names{"in", "in", "add", "mean", "flatten", "out"}));
  EXPECT_EQ(stage.inputs, (Values{3, 4}));
  EXPECT_EQ(stage.nodes, (std::vector<size_t>{4, 5, 6}));
}

TEST_F(StageModels, AllOutputs) {
  const StageModel stage = model_that_shows_all(tiny.model);
  EXPECT_TRUE(format::check_model(stage.model).ok());
  EXPECT_EQ(stage.inputs, (Values{0}));
  EXPECT_EQ(stage.model.outputs.size(), tiny.model.nodes.size());
  EXPECT_EQ(stage.model.values[stage.model.outputs[7]].name, "y");
}

TEST(StageModelOfATransformer, TakesIntegersAndConstantsAsTheyAre) {
  TinyTransformer tiny;
  const std::vector<bool> known(tiny.model.values.size(), true);
  for (size_t node = 0; node < tiny.model.nodes.size(); ++node) {
    const StageModel stage = model_of_stage(tiny.model, node, known);
    EXPECT_TRUE(format::check_model(stage.model).ok()) << tiny.model.nodes[node].name;
    EXPECT_EQ(stage.model.nodes.size(), 1u);
  }
  EXPECT_EQ(model_of_stage(tiny.model, 1, known).inputs, (Values{2})) << "positions are the model's";
  EXPECT_TRUE(format::check_model(model_that_shows_all(tiny.model).model).ok());
}

}  // namespace
}  // namespace torquant
