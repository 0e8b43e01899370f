#include "torquant/pass/aliasing.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

TEST(Aliasing, IsWhatTheSchemaSays) {
  TestProgram net;
  Value* x = net.input("x", {2, 6});
  Value* fresh = net.op("aten.relu.default", {{"self", x}});
  Value* view = net.op("aten.view.default", {{"self", fresh}, {"size", Ints{12}}});
  Value* written = net.op("aten.relu_.default", {{"self", fresh}});
  Value* dropped = net.op("aten.dropout.default", {{"input", x}, {"p", 0.5}, {"train", false}});
  EXPECT_FALSE(may_alias(*fresh->producer()) || writes_in_place(*fresh->producer()));
  EXPECT_TRUE(may_alias(*view->producer()) && !writes_in_place(*view->producer()));
  EXPECT_TRUE(may_alias(*written->producer()) && writes_in_place(*written->producer()));
  EXPECT_TRUE(may_alias(*dropped->producer()));
}

TEST(Aliasing, AViewIsWrittenWithWhatItShows) {
  TestProgram net;
  Value* base = net.relu(net.input("x", {2, 6}));
  Value* row = net.op("aten.select.int", {{"self", base}, {"dim", int64_t{0}}, {"index", int64_t{1}}});
  Value* other_row = net.op("aten.select.int", {{"self", base}, {"dim", int64_t{0}}, {"index", int64_t{0}}});
  Value* copy = net.op("aten.clone.default", {{"self", base}});
  EXPECT_FALSE(is_written(base) || is_written(row));
  net.op("aten.add_.Tensor", {{"self", row}, {"other", other_row}});
  EXPECT_TRUE(is_written(base) && is_written(row) && is_written(other_row));
  EXPECT_FALSE(is_written(copy) || is_written(base->producer()->input("self")));
}

}  // namespace
}  // namespace torquant
