#include "torquant/core/closest_name.h"

#include <gtest/gtest.h>

namespace torquant {
namespace {

const std::vector<std::string> kNames = {"module", "module_type", "op", "scheme"};

TEST(ClosestName, IsWhatTheFewestEditsGive) {
  EXPECT_EQ(closest_name("shceme", kNames), "scheme");  // two letters swapped
  EXPECT_EQ(closest_name("modul", kNames), "module");
  EXPECT_EQ(closest_name("moduletype", kNames), "module_type");
  EXPECT_EQ(closest_name("ops", kNames), "op");
}

TEST(ClosestName, IsNoneWhereNoneIsClose) {
  EXPECT_EQ(closest_name("granularity", kNames), "");
  EXPECT_EQ(closest_name("", kNames), "");
  EXPECT_EQ(closest_name("xx", kNames), "");  // "op" would be two edits of two
  EXPECT_EQ(closest_name(std::string(1000, 'm'), kNames), "");
}

TEST(DidYouMean, AsksOrIsSilent) {
  EXPECT_EQ(did_you_mean("schema", kNames), "did you mean \"scheme\"?");
  EXPECT_EQ(did_you_mean("bits", kNames), "");
}

}  // namespace
}  // namespace torquant
