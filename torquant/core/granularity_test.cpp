#include "torquant/core/granularity.h"

#include <gtest/gtest.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

using Sizes = std::vector<int64_t>;
const Sizes kShape = {4, 6, 32};

TEST(Granularity, BlockSizesFollowTheShape) {
  EXPECT_EQ(block_size_of(PerTensor{}, kShape), (Sizes{4, 6, 32}));
  EXPECT_EQ(block_size_of(PerAxis{1}, kShape), (Sizes{4, 1, 32}));
  EXPECT_EQ(block_size_of(PerAxis{-3}, kShape), (Sizes{1, 6, 32}));
  EXPECT_EQ(block_size_of(PerGroup{8}, kShape), (Sizes{1, 1, 8}));
  EXPECT_EQ(block_size_of(PerRow{}, kShape), (Sizes{1, 1, 32}));
  EXPECT_EQ(block_size_of(PerToken{}, kShape), (Sizes{1, 1, 32}));
  EXPECT_EQ(block_size_of(PerBlock{{2, 6, 64}}, kShape), (Sizes{2, 6, 32}));
}

TEST(Granularity, RefusesWhatDoesNotFitTheShape) {
  EXPECT_THROW(block_size_of(PerAxis{3}, kShape), Error);
  EXPECT_THROW(block_size_of(PerGroup{5}, kShape), Error);
  EXPECT_THROW(block_size_of(PerGroup{0}, kShape), Error);
  EXPECT_THROW(block_size_of(PerBlock{{2, 6}}, kShape), Error);
  EXPECT_THROW(block_size_of(PerToken{}, Sizes{}), Error);
}

}  // namespace
}  // namespace torquant
