#include "torquant/kernels/attention/pack_keys.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "torquant/core/packed_weights.h"

namespace torquant {
namespace {

TEST(PackKeys, GivesAPanelOfPackedWeightsAndTheirSums) {
  std::mt19937 random(5);
  for (const size_t quads : {1, 3, 4, 5, 8, 16, 33}) {
    const size_t step = (quads + 3) / 4 * 16;
    std::vector<uint8_t> codes(16 * step);
    for (uint8_t& code : codes) code = static_cast<uint8_t>(random());
    std::vector<int8_t> weights;  // [16, quads * 4]
    for (size_t row = 0; row < 16; ++row) {
      for (size_t i = 0; i < quads * 4; ++i) weights.push_back(static_cast<int8_t>(codes[row * step + i] - 128));
    }
    const PackedShape shape{.channels = 16, .inputs = quads * 4};
    std::vector<int8_t> expected(shape.bytes()), packed(shape.bytes());
    pack_weights(shape, weights.data(), expected.data());

    std::vector<int32_t> sums(16);
    pack_keys(
        {.quads = quads, .codes = codes.data(), .codes_step = step, .packed = packed.data(), .sums = sums.data()});

    EXPECT_EQ(packed, expected) << quads;
    EXPECT_EQ(sums, column_sums(shape, weights.data())) << quads;
  }
}

}  // namespace
}  // namespace torquant
