#include "torquant/recipe/size_condition.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

bool fits(const std::string& condition, int64_t size) { return sizes_fit({condition}, {size}); }

TEST(SizeCondition, ComparesWithItsBound) {
  EXPECT_TRUE(fits("64", 64) && !fits("64", 63));
  EXPECT_TRUE(fits(">=64", 64) && !fits(">=64", 63));
  EXPECT_TRUE(fits("<=64", 64) && !fits("<=64", 65));
  EXPECT_TRUE(fits(">64", 65) && !fits(">64", 64));
  EXPECT_TRUE(fits("<64", 63) && !fits("<64", 64));
  EXPECT_TRUE(fits("*", 0));
}

TEST(SizeCondition, IsOneAnAxisUnlessMoreAreAllowed) {
  EXPECT_FALSE(sizes_fit({"*"}, {int64_t{1}, int64_t{2}}));
  EXPECT_FALSE(sizes_fit({"*", "*"}, {int64_t{1}}));
  EXPECT_TRUE(sizes_fit({"1", "..."}, {int64_t{1}, int64_t{2}}));
  EXPECT_TRUE(sizes_fit({"1", "..."}, {int64_t{1}}));
  EXPECT_FALSE(sizes_fit({"1", "*", "..."}, {int64_t{1}}));
}

TEST(SizeCondition, AnUnknownSizeFitsAnySizeAlone) {
  const Dim batch = SymbolicDim{SymExpr::symbol("s0"), 64};
  EXPECT_TRUE(sizes_fit({"*"}, {batch}));
  EXPECT_FALSE(sizes_fit({">=1"}, {batch}));
}

TEST(SizeCondition, RefusesWhatIsNone) {
  const auto problem = [](const std::vector<std::string>& conditions) {
    return error_text([&] { check_size_conditions("w", conditions); });
  };
  EXPECT_EQ(problem({"*", ">=64", "0", "..."}), "");
  const std::string allowed = "\n  allowed here: 64, \">=64\", \"<=64\", \">64\", \"<64\", \"*\"; \"...\" at the end";
  EXPECT_EQ(problem({"*", "=64"}), "w: axis 1: \"=64\" is no condition on a size" + allowed);
  EXPECT_EQ(problem({"..", "*"}), "w: axis 0: \"..\" is no condition on a size" + allowed);
  EXPECT_EQ(problem({"-1"}), "w: axis 0: \"-1\" is no condition on a size" + allowed);
  EXPECT_EQ(problem({"99999999999999999999"}),
            "w: axis 0: \"99999999999999999999\" is no condition on a size" + allowed);
  EXPECT_EQ(problem({"...", "*"}), "w: \"...\" stands before the end" + allowed);
}

}  // namespace
}  // namespace torquant
