#include "torquant/core/packed_floats.h"

#include <gtest/gtest.h>

#include <numeric>

namespace torquant {
namespace {

TEST(PackedFloats, LayIn16ChannelsATapAndInput) {
  const PackedFloatsShape shape{.channels = 17, .inputs = 2, .taps = 3};
  std::vector<float> weights(17 * 2 * 3);  // [n][c][tap]
  std::iota(weights.begin(), weights.end(), 1.0f);
  ASSERT_EQ(shape.floats(), 2 * 3 * 2 * 16);
  std::vector<float> packed(shape.floats(), -1);

  pack_floats(shape, weights.data(), packed.data());

  EXPECT_EQ(packed[0], 1);                           // n 0, c 0, tap 0
  EXPECT_EQ(packed[1], 7);                           // n 1
  EXPECT_EQ(packed[16], 4);                          // c 1
  EXPECT_EQ(packed[2 * 16], 2);                      // tap 1
  EXPECT_EQ(packed[(3 + 2) * 2 * 16 + 16], 17 * 6);  // n 16, tap 2, c 1
  EXPECT_EQ(packed[3 * 2 * 16 + 1], 0);              // there is no channel 17
}

TEST(PackedFloats, AreGivenBack) {
  for (const size_t channels : {1, 15, 16, 33}) {
    const PackedFloatsShape shape{.channels = channels, .inputs = 5, .taps = 4};
    std::vector<float> weights(channels * 5 * 4), packed(shape.floats()), back(weights.size());
    std::iota(weights.begin(), weights.end(), 1.0f);
    pack_floats(shape, weights.data(), packed.data());
    unpack_floats(shape, packed.data(), back.data());
    EXPECT_EQ(back, weights) << channels;
  }
}

}  // namespace
}  // namespace torquant
