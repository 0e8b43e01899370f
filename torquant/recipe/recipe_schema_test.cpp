#include "torquant/recipe/recipe_schema.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace torquant {
namespace {

TEST(RecipeSchema, TheFileCheckedInIsWhatTheParsersTablesGive) {
  std::ifstream file(TORQUANT_TEST_DATA "/../../torquant/recipe/recipe.schema.json");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), recipe_schema())
      << "torquant recipes --schema > torquant/recipe/recipe.schema.json";
}

}  // namespace
}  // namespace torquant
