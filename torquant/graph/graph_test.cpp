// Editing keeps order, names and readers right.
#include "torquant/graph/graph.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/program.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

constexpr const char* kDiamond = R"(
input %x : f32[2]
%a = aten.relu.default(%x)
%b = aten.neg.default(%a)
%c = aten.add.Tensor(%a, %b)
return %c
)";

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph) names.push_back(node.name());
  return names;
}
std::vector<std::string> users(const Value* value) {
  std::vector<std::string> names;
  for (const Node* node : value->users()) names.push_back(node->name());
  return names;
}
using Names = std::vector<std::string>;

TEST(Graph, KnowsReadersInTheOrderInWhichTheyBegan) {
  const Program program = parse_program(kDiamond);
  const Graph& graph = program.graph();
  EXPECT_EQ(names(graph), (Names{"a", "b", "c"}));
  EXPECT_EQ(users(graph.find_value("a")), (Names{"b", "c"}));
  EXPECT_EQ(users(graph.find_value("c")), Names{"output"});
  EXPECT_EQ(graph.find_value("a")->producer(), graph.find_node("a"));
  EXPECT_EQ(graph.find_value("x")->producer(), nullptr);
  EXPECT_EQ(graph.find_value("none"), nullptr);
  EXPECT_EQ(graph.size(), 3u);
}

TEST(Graph, AReaderThatReadsTwiceCountsOnce) {
  Program program = parse_program("input %x : f32[2]\n%y = aten.add.Tensor(%x, %x)\nreturn %y, %y");
  Graph& graph = program.graph();
  EXPECT_EQ(users(graph.find_value("x")), Names{"y"});
  EXPECT_EQ(users(graph.find_value("y")), Names{"output"});
  graph.find_node("y")->set_arg("other", int64_t{1});
  EXPECT_EQ(users(graph.find_value("x")), Names{"y"});
  graph.find_node("y")->set_arg("self", int64_t{1});
  EXPECT_TRUE(graph.find_value("x")->users().empty());
}

TEST(Graph, SetArgKeepsThePlaceOfTheOldAndAppendsTheNew) {
  Program program = parse_program(kDiamond);
  Node* c = program.graph().find_node("c");
  c->set_arg("self", program.graph().find_value("x"));
  c->set_arg("alpha", int64_t{2}, /*keyword=*/true);
  EXPECT_EQ(to_text(*c), "%c : f32[2] = aten.add.Tensor(self=%x, other=%b, alpha=2)");
  EXPECT_TRUE(c->args()[2].keyword);
  EXPECT_EQ(users(program.graph().find_value("a")), Names{"b"});
  EXPECT_EQ(users(program.graph().find_value("x")), (Names{"a", "c"}));
}

TEST(Graph, ReplaceAllUsesReachesListsAndOutputsAndCanKeepOneReader) {
  Program program = parse_program(R"(
input %x : f32[2]
input %y : f32[2]
%a = aten.relu.default(%x)
%b = aten.cat.default([%a, %y, %a])
%c = aten.neg.default(%a)
return %a, %b, %c
)");
  Graph& graph = program.graph();
  graph.replace_all_uses(graph.find_value("a"), graph.find_value("y"), graph.find_node("c"));
  EXPECT_EQ(to_text(*graph.find_node("b")), "%b : f32[6] = aten.cat.default(tensors=[%y, %y, %y])");
  EXPECT_EQ(value_of(graph.outputs()[0]), graph.find_value("y"));
  EXPECT_EQ(users(graph.find_value("a")), Names{"c"});
}

TEST(Graph, InsertsBeforeAfterAndAtTheEnd) {
  Program program = parse_program(kDiamond);
  Graph& graph = program.graph();
  const OpId op("aten.neg.default");
  graph.insert_before(graph.find_node("a"), op, "first", {});
  graph.insert_after(graph.find_node("b"), op, "middle", {});
  graph.append(op, "last", {});
  EXPECT_EQ(names(graph), (Names{"first", "a", "b", "middle", "c", "last"}));
  graph.move_before(graph.find_node("last"), graph.find_node("first"));
  graph.move_before(graph.find_node("a"), graph.find_node("a"));
  EXPECT_EQ(names(graph), (Names{"last", "first", "a", "b", "middle", "c"}));
}

TEST(Graph, EraseRefusesWhatIsReadAndNamesTheReader) {
  Program program = parse_program(kDiamond);
  Graph& graph = program.graph();
  EXPECT_EQ(error_text([&] { graph.erase(graph.find_node("b")); }),
            "graph: %b (aten.neg.default) cannot be removed: %c (aten.add.Tensor) reads %b");
  EXPECT_EQ(error_text([&] { graph.erase_input(graph.find_value("x")); }),
            "graph: input %x cannot be removed: %a (aten.relu.default) reads it");
  graph.set_outputs({});
  graph.erase(graph.find_node("c"));
  graph.erase(graph.find_node("b"));
  EXPECT_EQ(names(graph), Names{"a"});
  EXPECT_EQ(graph.find_value("b"), nullptr);
  EXPECT_TRUE(graph.find_value("a")->users().empty());
}

TEST(Graph, ASnapshotSurvivesErasing) {
  Program program = parse_program(kDiamond);
  Graph& graph = program.graph();
  graph.set_outputs({});
  const std::vector<Node*> nodes = graph.nodes_snapshot();
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) graph.erase(*node);
  EXPECT_EQ(graph.size(), 0u);
  EXPECT_EQ(graph.begin(), graph.end());
}

TEST(Graph, NamesAreUnique) {
  Program program = parse_program(kDiamond);
  Graph& graph = program.graph();
  EXPECT_EQ(error_text([&] { graph.append(OpId("aten.neg.default"), "a", {}); }), "graph: two nodes are named %a");
  EXPECT_EQ(error_text([&] { graph.add_input("x", TensorMeta{}); }), "graph: two values are named %x");
  EXPECT_EQ(graph.unique_name("fresh"), "fresh");
  EXPECT_EQ(graph.unique_name("a"), "a_1");
  graph.append(OpId("aten.neg.default"), "a_1", {});
  EXPECT_EQ(graph.unique_name("a"), "a_2");
}

TEST(Graph, FiveThousandNodesOfOneWantedName) {
  Graph graph;
  Value* value = graph.add_input("x", TensorMeta{});
  for (int i = 0; i < 5000; ++i) {
    Node* node = graph.append(OpId("aten.relu.default"), graph.unique_name("relu"), {{"self", value}});
    value = graph.add_output(node, node->name(), TensorMeta{});
  }
  EXPECT_EQ(value->name(), "relu_4999");
  EXPECT_EQ(graph.size(), 5000u);
  EXPECT_EQ(users(graph.find_value("relu_123")), Names{"relu_124"});
  const std::vector<Node*> nodes = graph.nodes_snapshot();
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) graph.erase(*node);
  EXPECT_EQ(graph.size(), 0u);
  EXPECT_TRUE(graph.find_value("x")->users().empty());
}

}  // namespace
}  // namespace torquant
