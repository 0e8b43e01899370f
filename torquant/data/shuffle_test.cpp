#include "torquant/data/shuffle.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace torquant {
namespace {

// Computed from the definition in the header by a few lines of Python.
TEST(Shuffle, OrdersAreThoseOfTheDefinition) {
  EXPECT_EQ(permutation(10, 0), (std::vector<int64_t>{6, 3, 2, 9, 8, 1, 4, 7, 0, 5}));
  EXPECT_EQ(permutation(10, 1), (std::vector<int64_t>{4, 2, 8, 1, 9, 3, 0, 6, 7, 5}));
  EXPECT_EQ(permutation(10, UINT64_MAX), (std::vector<int64_t>{3, 4, 2, 7, 5, 0, 8, 1, 9, 6}));
  EXPECT_EQ(permutation(1, 5), (std::vector<int64_t>{0}));
}

TEST(Shuffle, AllOrdersAreEquallyLikely) {
  std::map<std::vector<int64_t>, int> seen;
  for (uint64_t seed = 0; seed < 24000; ++seed) ++seen[permutation(4, seed)];
  EXPECT_EQ(seen.size(), 24U);
  // Binomial(24000, 1/24): deviation 31.
  for (const auto& [order, count] : seen) EXPECT_NEAR(count, 1000, 5 * 31);
}

TEST(Shuffle, ADataSetKeepsSamplesAndLabelsTogether) {
  const auto data =
      shuffled(std::make_unique<ArrayDataset>("rows", std::vector<at::Tensor>{at::arange(10, at::kFloat).unsqueeze(1)},
                                              at::arange(10)),
               1);
  EXPECT_EQ(data->name(), "rows (shuffled by seed 1)");
  ASSERT_EQ(data->size(), 10);
  const std::vector<int64_t> order = permutation(10, 1);
  for (int64_t i = 0; i < 10; ++i) {
    const Sample sample = data->sample(i);
    EXPECT_EQ(sample.labels.item<int64_t>(), order[static_cast<size_t>(i)]);
    EXPECT_EQ(sample.inputs[0].item<float>(), static_cast<float>(order[static_cast<size_t>(i)]));
  }
}

}  // namespace
}  // namespace torquant
