#include "torquant/graph/op_id.h"

#include <gtest/gtest.h>

namespace torquant {
namespace {

TEST(OpId, EqualNamesAreOneOperator) {
  EXPECT_EQ(OpId("aten.relu.default"), OpId(std::string("aten.relu.") + "default"));
  EXPECT_NE(OpId("aten.relu.default"), OpId("aten.relu_.default"));
}

TEST(OpId, DispatcherNamesSplitIntoNameAndOverload) {
  const OpId add("aten.add.Tensor");
  EXPECT_TRUE(add.is_dispatcher_op());
  EXPECT_EQ(add.qualified_name(), "aten::add");
  EXPECT_EQ(add.overload(), "Tensor");
  EXPECT_EQ(OpId("aten.relu.default").overload(), "");
  EXPECT_FALSE(OpId("_operator.mul").is_dispatcher_op());
  EXPECT_FALSE(OpId("higher_order.cond").is_dispatcher_op());
}

}  // namespace
}  // namespace torquant
