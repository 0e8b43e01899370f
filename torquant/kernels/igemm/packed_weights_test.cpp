#include "torquant/kernels/igemm/packed_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace torquant {
namespace {

std::vector<int8_t> random_codes(size_t count) {
  std::mt19937 random(3);
  std::vector<int8_t> codes(count);
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
  return codes;
}

TEST(PackedWeights, LieAsDocumented) {
  const PackedShape shape{.channels = 18, .taps = 2, .inputs = 5};
  EXPECT_EQ(shape.bytes(), 2u * 2 * 2 * 64);
  const std::vector<int8_t> codes = random_codes(18 * 5 * 2);
  std::vector<int8_t> packed(shape.bytes(), 99);
  pack_weights(shape, codes.data(), packed.data());
  const auto at = [&](size_t panel, size_t tap, size_t quad, size_t i, size_t j) {
    return packed[(((panel * 2 + tap) * 2 + quad) * 16 + i) * 4 + j];
  };
  EXPECT_EQ(at(1, 1, 1, 1, 0), codes[(17 * 5 + 4) * 2 + 1]);  // channel 17, input 4, tap 1
  EXPECT_EQ(at(0, 0, 0, 3, 2), codes[(3 * 5 + 2) * 2]);
  EXPECT_EQ(at(0, 0, 1, 0, 1), 0) << "input 5 of 5";
  EXPECT_EQ(at(1, 0, 0, 2, 0), 0) << "channel 18 of 18";
}

TEST(PackedWeights, GiveTheirCodesBack) {
  for (const PackedShape shape : {PackedShape{1, 1, 1}, PackedShape{16, 9, 4}, PackedShape{33, 9, 7}}) {
    const std::vector<int8_t> codes = random_codes(shape.channels * shape.taps * shape.inputs);
    std::vector<int8_t> packed(shape.bytes()), back(codes.size());
    pack_weights(shape, codes.data(), packed.data());
    unpack_weights(shape, packed.data(), back.data());
    EXPECT_EQ(back, codes);
  }
}

TEST(PackedWeights, HaveColumnSums) {
  const PackedShape shape{.channels = 2, .taps = 2, .inputs = 2};
  const std::vector<int8_t> codes = {1, 2, 3, 4, -128, -128, 127, 0};
  EXPECT_EQ(column_sums(shape, codes.data()), (std::vector<int32_t>{10, -129}));
}

TEST(PackedWeights, SayWherePairsFitSixteenBits) {
  const auto fits = [](int8_t w0, int8_t w1, int8_t w2, int8_t w3) {
    const PackedShape shape{.channels = 1, .taps = 1, .inputs = 4};
    const int8_t codes[] = {w0, w1, w2, w3};
    std::vector<int8_t> packed(shape.bytes());
    pack_weights(shape, codes, packed.data());
    return pairs_fit(shape, packed.data()) == std::vector<uint8_t>{1};
  };
  EXPECT_TRUE(fits(64, 64, -64, -64));
  EXPECT_TRUE(fits(127, -127, 0, -128));
  EXPECT_TRUE(fits(1, 127, 127, 1));
  EXPECT_FALSE(fits(2, 127, 0, 0));
  EXPECT_FALSE(fits(0, 0, -1, -128));
  EXPECT_TRUE(fits(100, -100, 100, -100)) << "100 and 100 are in different pairs";
}

TEST(PackedWeights, JudgePanelsOneByOne) {
  const PackedShape shape{.channels = 17, .taps = 1, .inputs = 2};
  std::vector<int8_t> codes(34, 1);
  codes[32] = 127, codes[33] = 127;
  std::vector<int8_t> packed(shape.bytes());
  pack_weights(shape, codes.data(), packed.data());
  EXPECT_EQ(pairs_fit(shape, packed.data()), (std::vector<uint8_t>{1, 0}));
}

}  // namespace
}  // namespace torquant
