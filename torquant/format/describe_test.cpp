#include "torquant/format/describe.h"

#include <gtest/gtest.h>

#include "tests/support/tiny_branches.h"
#include "tests/support/tiny_floats.h"
#include "tests/support/tiny_model.h"

namespace torquant::format {
namespace {

TEST(Describe, NamesEachKindOfNode) {
  const TinyModel tiny;
  const TinyBranches branches;
  const TinyFloats floats;
  std::string names;
  for (const Model* model : {&tiny.model, &branches.model, &floats.model}) {
    for (const Node& node : model->nodes) names += std::string(kind_of(node.operation)) + " ";
  }
  EXPECT_EQ(names,
            "Quantize Layer MaxPool Layer Add GlobalAveragePool Flatten Layer Quantize Layer MapCodes AveragePool "
            "GlobalAveragePool Multiply Concat Rearrange Add Dequantize "
            "Quantize Layer FloatMap FloatMean FloatBinary Rearrange Concat Softmax Quantize MaxPool Dequantize ");
}

TEST(Describe, TellsWhatStaysInFloat) {
  const TinyFloats floats;
  std::string names;
  for (const Node& node : floats.model.nodes) {
    if (computes_in_float(node.operation)) names += full_name(node.operation) + ", ";
  }
  EXPECT_EQ(names, "FloatMap silu, FloatMean, FloatBinary multiply, Softmax, ");
  EXPECT_EQ(elements_of(floats.model, floats.model.nodes[7].operation), 16 * 5 * 4);
  EXPECT_EQ(name_of(FloatFunction::kClamp), "clamp");
  EXPECT_EQ(name_of(FloatFunction::kSoftplus), "softplus");
  EXPECT_EQ(name_of(FloatArithmetic::kDivide), "divide");
}

TEST(Describe, CountsProductsOfAnImage) {
  const TinyModel tiny;
  EXPECT_EQ(multiply_accumulates(tiny.model, tiny.model.nodes[1].operation), 20 * 8 * 8 * 3 * 9);
  EXPECT_EQ(multiply_accumulates(tiny.model, tiny.model.nodes[2].operation), 0);
  EXPECT_EQ(weight_bytes(tiny.model.nodes[1].operation), 2 * 3 * 3 * 64 + 2 + 32 * 12)
      << "two panels of three rows of three quads, and 16 numbers of each kind a panel";
  const TinyBranches branches;
  EXPECT_EQ(multiply_accumulates(branches.model, branches.model.nodes[1].operation), 12 * 36 * 2 * 9);
  EXPECT_EQ(weight_bytes(branches.model.nodes[2].operation), 256);
}

}  // namespace
}  // namespace torquant::format
