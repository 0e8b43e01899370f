#include "torquant/core/packed_depthwise.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace torquant {
namespace {

std::vector<int8_t> counted_codes(size_t count) {
  std::vector<int8_t> codes(count);
  std::iota(codes.begin(), codes.end(), static_cast<int8_t>(-128));  // wraps around
  return codes;
}

TEST(PackedDepthwise, LiesAsDocumented) {
  const PackedDepthwiseShape shape{.channels = 18, .taps = 9};
  EXPECT_EQ(shape.bytes(), 9u * 32);
  const std::vector<int8_t> codes = counted_codes(18 * 9);
  std::vector<int8_t> packed(shape.bytes(), 99);
  pack_depthwise(shape, codes.data(), packed.data());
  EXPECT_EQ(packed[0], -128);
  EXPECT_EQ(packed[3 * 32 + 1], codes[1 * 9 + 3]);
  EXPECT_EQ(packed[8 * 32 + 17], codes[17 * 9 + 8]);
  for (size_t t = 0; t < 9; ++t) {
    for (size_t c = 18; c < 32; ++c) EXPECT_EQ(packed[t * 32 + c], 0) << "tap " << t << ", channel " << c << " of 18";
  }
}

TEST(PackedDepthwise, GivesItsCodesBack) {
  for (const PackedDepthwiseShape shape : {PackedDepthwiseShape{1, 1}, {16, 9}, {33, 25}, {144, 3}}) {
    const std::vector<int8_t> codes = counted_codes(shape.channels * shape.taps);
    std::vector<int8_t> packed(shape.bytes()), back(codes.size());
    pack_depthwise(shape, codes.data(), packed.data());
    unpack_depthwise(shape, packed.data(), back.data());
    EXPECT_EQ(back, codes);
  }
}

}  // namespace
}  // namespace torquant
