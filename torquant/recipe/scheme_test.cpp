#include "torquant/recipe/scheme.h"

#include <gtest/gtest.h>

#include <set>

namespace torquant {
namespace {

TEST(Schemes, HaveEachItsNameAndALineOfText) {
  std::set<std::string> names;
  for (const Scheme& scheme : schemes()) {
    EXPECT_TRUE(names.insert(scheme.name).second) << scheme.name;
    EXPECT_FALSE(scheme.summary.empty() || scheme.backend.empty()) << scheme.name;
    EXPECT_EQ(scheme.summary.find('\n'), std::string::npos) << scheme.name;
    EXPECT_EQ(find_scheme(scheme.name), &scheme);
  }
  EXPECT_EQ(find_scheme("int7"), nullptr);
}

TEST(Schemes, EachButFloatIsABuiltInRecipe) {
  EXPECT_EQ(built_in_recipes().size() + 1, scheme_names().size());
  for (const std::string& name : built_in_recipes()) EXPECT_NE(name, kFloatScheme);
}

}  // namespace
}  // namespace torquant
