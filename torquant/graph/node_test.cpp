#include "torquant/graph/node.h"

#include <gtest/gtest.h>

#include "torquant/graph/program.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

TEST(Node, DescribesItselfByModuleAndOperator) {
  Program program = parse_program("input %x : f32[2]\n%y = aten.relu.default(%x) @ layer1.0.act\nreturn %y");
  Node& node = *program.graph().find_node("y");
  EXPECT_EQ(node.describe(), "layer1.0.act (%y, aten.relu.default)");
  EXPECT_EQ(node.module_path(), "layer1.0.act");
  node.set_metadata("nn_module_stack", "L__self__,,Net;L__self___layer1,L['self'].layer1[0].conv,torch.nn.Conv2d");
  EXPECT_EQ(node.module_path(), "layer1.0.conv");
  EXPECT_EQ(node.module_stack().back().type, "torch.nn.Conv2d");
  node.set_metadata("nn_module_stack", "");
  EXPECT_EQ(node.describe(), "%y (aten.relu.default)");
}

TEST(Node, OutputIsTheOnlyValueOrNull) {
  const Program program = parse_program(
      "input %x : f32[4]\n[%a] = aten.chunk.default(%x, 1)\n%b = aten.relu.default(%a)\n%c, %d = aten.max.dim(%b, "
      "0)\nreturn %c");
  const Graph& graph = program.graph();
  EXPECT_EQ(graph.find_node("a")->output(), nullptr);
  EXPECT_EQ(graph.find_node("b")->output(), graph.find_value("b"));
  EXPECT_EQ(graph.find_node("c")->output(), nullptr);
  EXPECT_EQ(graph.find_node("c")->values().size(), 2u);
  EXPECT_EQ(graph.find_node("b")->input("self"), graph.find_value("a"));
  EXPECT_EQ(graph.find_node("b")->input("other"), nullptr);
}

TEST(Node, MetadataKeepsItsOrder) {
  Program program = parse_program("input %x : f32[2]\n%y = aten.relu.default(%x)\nreturn %y");
  Node& node = *program.graph().find_node("y");
  node.set_metadata("b", "1");
  node.set_metadata("a", "2");
  node.set_metadata("b", "3");
  EXPECT_EQ(node.metadata(), (std::vector<std::pair<std::string, std::string>>{{"b", "3"}, {"a", "2"}}));
  EXPECT_EQ(*node.find_metadata("a"), "2");
  EXPECT_EQ(node.find_metadata("c"), nullptr);
}

}  // namespace
}  // namespace torquant
