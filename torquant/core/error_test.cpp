#include "torquant/core/error.h"

#include <gtest/gtest.h>

namespace torquant {
namespace {

TEST(Error, TextNamesPlaceFactAllowedValuesAndTheNextStep) {
  const Error error({.where = "recipe.json: rule 2",
                     .what = "dtype int9 is unknown",
                     .allowed = "int1 to int8",
                     .hint = "correct the rule"});
  EXPECT_STREQ(error.what(),
               "recipe.json: rule 2: dtype int9 is unknown\n"
               "  allowed here: int1 to int8\n"
               "  to go on: correct the rule");
}

TEST(Error, WithinPutsTheOuterPlaceFirst) {
  const Error inner({.where = "%conv2d", .what = "rank 3"});
  EXPECT_STREQ(inner.within("model.pt2").what(), "model.pt2: %conv2d: rank 3");
}

}  // namespace
}  // namespace torquant
