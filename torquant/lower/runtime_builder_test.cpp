#include "torquant/lower/runtime_builder.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant::runtime_lowering {
namespace {

class ModelBuilderTest : public testing::Test {
 protected:
  Node* transposed(Value* x) {
    return net.op("aten.transpose.int", {{"self", x}, {"dim0", int64_t{1}}, {"dim1", int64_t{2}}})->producer();
  }

  TestProgram net;
  RuntimeModel made;
  std::vector<std::string> problems;
  ModelBuilder builder{net.program(), made, problems};
};

TEST_F(ModelBuilderTest, MakesWhatIsMovedWhenItIsAskedFor) {
  Value* x = net.input("x", {2, 3, 4});
  const Node* once = transposed(x);
  const Node* twice = transposed(once->output());
  builder.add_floats(*x);
  ASSERT_TRUE(builder.move(*once) && builder.move(*twice));
  EXPECT_TRUE(made.model.nodes.empty());
  EXPECT_EQ(builder.find(twice->output()), builder.find(x)) << "there and back";
  ASSERT_TRUE(builder.find(once->output()));
  EXPECT_TRUE(builder.is_float(once->output()));
  ASSERT_EQ(made.model.nodes.size(), 1u);
  EXPECT_EQ(std::get<format::Rearrange>(made.model.nodes[0].operation).sizes, (std::vector<int64_t>{4, 3}));
  (void)builder.find(once->output());
  EXPECT_EQ(made.model.nodes.size(), 1u) << "once";
}

TEST_F(ModelBuilderTest, KnowsNothingOfOtherValues) {
  Value* x = net.input("x", {2, 3, 4});
  EXPECT_FALSE(builder.is_known(x) || builder.is_float(x) || builder.find(x) || builder.find(nullptr));
  EXPECT_FALSE(builder.move(*transposed(x)));
}

TEST_F(ModelBuilderTest, TellsOfValuesWithoutTheBatch) {
  builder.add_floats(*net.input("x", {2, 3}));
  EXPECT_TRUE(problems.empty());
  builder.add_codes(*net.input("y", {3, 3}), {});
  EXPECT_EQ(problems, (std::vector<std::string>{"%y: its first size is not the batch"}));
}

}  // namespace
}  // namespace torquant::runtime_lowering
