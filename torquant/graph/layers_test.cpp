#include "torquant/graph/layers.h"

#include <gtest/gtest.h>

#include "torquant/graph/ops.h"
#include "torquant/graph/program.h"

namespace torquant {
namespace {

struct Shapes {
  std::vector<Dim> input, weight, output;
};

int64_t macs(const OpId& op, const Shapes& shapes) {
  Graph graph;
  Value* input = graph.add_input("input", contiguous_meta(at::kFloat, shapes.input));
  Value* weight = graph.add_input("weight", contiguous_meta(at::kFloat, shapes.weight));
  Node* node = graph.append(op, "layer", {{"input", input}, {"weight", weight}});
  graph.add_output(node, "layer", contiguous_meta(at::kFloat, shapes.output));
  EXPECT_TRUE(is_layer(*node));
  return multiply_accumulates(*node);
}

using Dims = std::vector<Dim>;
Dims dims(std::initializer_list<int64_t> sizes) { return {sizes.begin(), sizes.end()}; }

TEST(Layers, MultiplyAccumulates) {
  EXPECT_EQ(macs(ops::kLinear, {dims({2, 6, 8}), dims({4, 8}), dims({2, 6, 4})}), 2 * 6 * 4 * 8);
  // Each of the 2 * 16 * 5 * 5 outputs takes 3 channels (of two groups) times 3 * 3.
  EXPECT_EQ(macs(ops::kConv2d, {dims({2, 6, 7, 7}), dims({16, 3, 3, 3}), dims({2, 16, 5, 5})}), 2 * 16 * 25 * 27);
  // Each of the 1 * 6 * 7 inputs goes to 16 channels times 3 places.
  EXPECT_EQ(macs(ops::kConvTranspose1d, {dims({1, 6, 7}), dims({6, 16, 3}), dims({1, 16, 9})}), 6 * 7 * 16 * 3);
}

TEST(Layers, OthersAreNone) {
  Graph graph;
  Value* x = graph.add_input("x", contiguous_meta(at::kFloat, {int64_t{2}}));
  Node* relu = graph.append(ops::kRelu, "relu", {{"self", x}});
  graph.add_output(relu, "relu", contiguous_meta(at::kFloat, {int64_t{2}}));
  EXPECT_FALSE(is_layer(*relu));
  EXPECT_EQ(multiply_accumulates(*relu), 0);
}

}  // namespace
}  // namespace torquant
