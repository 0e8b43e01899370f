#include "torquant/core/block_layout.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

using Sizes = std::vector<int64_t>;

BlockLayout layout(const Sizes& shape, const Sizes& block) { return BlockLayout("test", shape, block); }

// The block of every element, by the runs and by block_of.
Sizes blocks_of(const BlockLayout& layout) {
  Sizes blocks(layout.num_elements(), -1);
  layout.for_each_run(0, layout.num_elements(), [&](int64_t begin, int64_t count, int64_t block) {
    for (int64_t i = begin; i < begin + count; ++i) {
      EXPECT_EQ(layout.block_of(i), block);
      blocks[i] = block;
    }
  });
  return blocks;
}

TEST(BlockLayout, NumbersBlocksRowMajor) {
  EXPECT_EQ(blocks_of(layout({2, 4}, {2, 4})), (Sizes{0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(blocks_of(layout({2, 4}, {1, 4})), (Sizes{0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(blocks_of(layout({2, 4}, {2, 1})), (Sizes{0, 1, 2, 3, 0, 1, 2, 3}));
  EXPECT_EQ(blocks_of(layout({2, 4}, {1, 2})), (Sizes{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(blocks_of(layout({2, 4}, {1, 1})), (Sizes{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(blocks_of(layout({2, 2, 2}, {1, 2, 1})), (Sizes{0, 1, 0, 1, 2, 3, 2, 3}));
  EXPECT_EQ(blocks_of(layout({4, 4}, {2, 2})), (Sizes{0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3}));
}

TEST(BlockLayout, RunsAreAsLongAsTheBlockAllows) {
  const auto runs = [](const BlockLayout& layout, int64_t begin, int64_t end) {
    Sizes lengths;
    layout.for_each_run(begin, end, [&](int64_t, int64_t count, int64_t) { lengths.push_back(count); });
    return lengths;
  };
  EXPECT_EQ(runs(layout({4, 6}, {4, 6}), 0, 24), (Sizes{24}));
  EXPECT_EQ(runs(layout({4, 6}, {2, 6}), 0, 24), (Sizes{12, 12}));
  EXPECT_EQ(runs(layout({4, 6}, {2, 6}), 5, 14), (Sizes{7, 2}));
  EXPECT_EQ(runs(layout({4, 6}, {1, 3}), 2, 8), (Sizes{1, 3, 2}));
}

TEST(BlockLayout, ShapesOfTheScales) {
  EXPECT_EQ(layout({4, 6}, {1, 3}).blocks_per_axis(), (Sizes{4, 2}));
  EXPECT_EQ(layout({4, 6}, {1, 3}).reduced_shape(), (Sizes{4, 2}));
  EXPECT_EQ(layout({4, 6}, {1, 6}).blocks_per_axis(), (Sizes{4, 1}));
  EXPECT_EQ(layout({4, 6}, {1, 6}).reduced_shape(), (Sizes{4}));
  EXPECT_EQ(layout({4, 6}, {4, 6}).reduced_shape(), (Sizes{}));
  EXPECT_EQ(layout({1, 6}, {1, 6}).reduced_shape(), (Sizes{1}));  // an axis of one element is not reduced
  EXPECT_EQ(layout({}, {}).num_blocks(), 1);
  EXPECT_EQ(layout({0, 8}, {1, 8}).num_blocks(), 0);
}

TEST(BlockLayout, RefusesBlocksThatDoNotTile) {
  const auto error_of = [](const Sizes& shape, const Sizes& block) {
    return error_text([&] { layout(shape, block); });
  };
  EXPECT_EQ(error_of({4, 6}, {4, 5}),
            "test: block_size [4, 5] does not divide shape [4, 6] along axis 1\n"
            "  allowed here: divisors of 6, from 1");
  EXPECT_EQ(error_of({4, 6}, {0, 6}),
            "test: block_size [0, 6] does not divide shape [4, 6] along axis 0\n"
            "  allowed here: divisors of 4, from 1");
  EXPECT_EQ(error_of({4, 6}, {6}),
            "test: block_size [6] has 1 entries, the tensor has shape [4, 6]\n"
            "  allowed here: 2 entries, one an axis");
  EXPECT_NE(error_of({4, 6}, {-1, 6}), "");
}

}  // namespace
}  // namespace torquant
