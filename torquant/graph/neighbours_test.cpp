#include "torquant/graph/neighbours.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant {
namespace {

TEST(Neighbours, SoleReadersAndProducers) {
  TestProgram net;
  Value* x = net.input("x", {2, 3});
  Value* y = net.relu(x);
  Value* z = net.relu(y);
  Value* sum = net.op("aten.add.Tensor", {{"self", z}, {"other", x}});
  net.returns({sum});
  EXPECT_EQ(first_input(*y->producer()), x);
  EXPECT_EQ(sole_producer(y), y->producer());
  EXPECT_EQ(sole_producer(x), nullptr) << "an input, with two readers";
  EXPECT_EQ(sole_producer(nullptr), nullptr);
  EXPECT_EQ(sole_reader(y), z->producer());
  EXPECT_EQ(sole_reader(sum), nullptr) << "the graph returns it";
  EXPECT_EQ(sole_reader(nullptr), nullptr);
  net.returns({sum, y});
  EXPECT_EQ(sole_reader(y), nullptr) << "two read it";
}

}  // namespace
}  // namespace torquant
