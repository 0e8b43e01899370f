#include "torquant/graph/argument.h"

#include <gtest/gtest.h>

#include "torquant/graph/graph.h"

namespace torquant {
namespace {

TEST(Argument, EveryValueIsVisitedInOrder) {
  Graph graph;
  Value* a = graph.add_input("a", TensorMeta{});
  Value* b = graph.add_input("b", ScalarMeta{});
  const std::vector<Argument> arguments = {a, std::vector<Value*>{a, nullptr, b},
                                           std::vector<ScalarOrValue>{int64_t{1}, b, 0.5}, int64_t{3},
                                           std::monostate{}};
  std::vector<Value*> seen;
  for (const Argument& argument : arguments) for_each_value(argument, [&](Value* value) { seen.push_back(value); });
  EXPECT_EQ(seen, (std::vector<Value*>{a, a, b, b}));
}

TEST(Argument, ValuesCanBeExchanged) {
  Graph graph;
  Value* a = graph.add_input("a", TensorMeta{});
  Value* b = graph.add_input("b", TensorMeta{});
  Argument list = std::vector<Value*>{a, nullptr, a};
  for_each_value(list, [&](Value*& value) { value = b; });
  EXPECT_EQ(std::get<std::vector<Value*>>(list), (std::vector<Value*>{b, nullptr, b}));
  EXPECT_EQ(value_of(Argument(a)), a);
  EXPECT_EQ(value_of(list), nullptr);
  EXPECT_TRUE(is_none(std::monostate{}));
}

}  // namespace
}  // namespace torquant
