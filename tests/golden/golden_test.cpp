// The comparison that all golden tests rest on, and the list of families: what a directory holds is run or named here.
#include "golden.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace torquant::golden {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(GoldenComparison, IsBitForBitButForNaN) {
  EXPECT_EQ(difference(at::tensor({1.f, kNaN}), at::tensor({1.f, -kNaN})), std::nullopt);
  EXPECT_NE(difference(at::tensor({0.f}), at::tensor({-0.f})), std::nullopt);
  EXPECT_NE(difference(at::tensor({1.f}), at::tensor({kNaN})), std::nullopt);
  EXPECT_NE(difference(at::tensor({1.f}), at::tensor({1.})), std::nullopt);
  EXPECT_NE(difference(at::tensor({1.f}), at::tensor({1.f}).reshape({1, 1})), std::nullopt);
  EXPECT_NE(difference(at::tensor({1.f}), at::Tensor()), std::nullopt);
  EXPECT_EQ(difference(at::Tensor(), at::Tensor()), std::nullopt);
}

TEST(GoldenComparison, NamesTheFirstDifference) {
  const auto different = difference(at::tensor({1, 2, 3, 5}).reshape({2, 2}), at::tensor({1, 2, 4, 4}).reshape({2, 2}));
  ASSERT_TRUE(different);
  EXPECT_EQ(different->find("2 of 4 elements differ, first at [1, 0]: ours 3 "), 0u) << *different;
}

TEST(GoldenComparison, ClosenessAndMaskAreLimits) {
  const at::Tensor one = at::tensor({1.f, 2.f});
  EXPECT_EQ(difference(at::tensor({1.01f, 2.f}), one, {.relative = 0.02}), std::nullopt);
  EXPECT_NE(difference(at::tensor({1.03f, 2.f}), one, {.relative = 0.02}), std::nullopt);
  EXPECT_EQ(difference(at::tensor({7.f, 2.f}), one, {}, at::tensor({0, 1}).to(at::kBool)), std::nullopt);
  EXPECT_NE(difference(at::tensor({7.f, 2.f}), one, {}, at::tensor({1, 0}).to(at::kBool)), std::nullopt);
}

// The families that some *_golden_test.cpp runs, and those of later work.
TEST(Golden, EveryFamilyIsRunOrNamed) {
  const std::set<std::string> run = {"primitives", "decomposed", "group_utils",        "observers",
                                     "pt2e",       "pt2e_nets",  "pt2e_default_export"};
  const std::set<std::string> later = {"algorithms", "codebook", "debug",       "formats",      "legacy",
                                       "optim",      "qat",      "qat_modules", "quantize_api", "quantize_models"};
  if (!std::filesystem::is_directory(directory())) GTEST_SKIP() << "no directory " << directory();
  std::set<std::string> not_run;
  for (const auto& entry : std::filesystem::directory_iterator(directory())) {
    const std::string name = entry.path().filename();
    if (!entry.is_directory() || name == "generators") continue;
    EXPECT_TRUE(run.contains(name) || later.contains(name)) << "no test knows the family " << entry.path();
    if (later.contains(name)) not_run.insert(name);
  }
  std::string line = "golden families not run, their subject does not exist yet:";
  for (const std::string& name : not_run) line += " " + name;
  if (!not_run.empty()) print_line("z_not_run", line);
}

}  // namespace
}  // namespace torquant::golden
