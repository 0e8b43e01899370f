#include "torquant/core/bit_packing.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes packed(const Bytes& codes, int bits) {
  Bytes bytes(packed_bytes(codes.size(), bits));
  pack_bits(std::span<const uint8_t>(codes), bits, bytes);
  return bytes;
}

TEST(PackBits, LowestBitsFirst) {  // Q23
  EXPECT_EQ(packed({0x1, 0xa, 0xf}, 4), (Bytes{0xa1, 0x0f}));
  EXPECT_EQ(packed({1, 0, 0, 1, 0, 0, 0, 0, 1}, 1), (Bytes{0x09, 0x01}));
  EXPECT_EQ(packed({3, 0, 1, 2}, 2), (Bytes{0x93}));
  // Three-bit codes 1, 2, 3: 001, 010, 011 from the right are 0 1101 0001.
  EXPECT_EQ(packed({1, 2, 3}, 3), (Bytes{0xd1, 0x00}));
  EXPECT_EQ(packed({200, 7}, 8), (Bytes{200, 7}));
  EXPECT_EQ(packed({}, 5), Bytes{});
}

TEST(PackBits, ReadsBackForEveryWidthAndTail) {
  for (int bits = 1; bits <= 8; ++bits) {
    for (size_t count = 0; count < 40; ++count) {
      Bytes codes(count);
      std::vector<int8_t> signed_codes(count);
      const int half = 1 << (bits - 1);
      for (size_t i = 0; i < count; ++i) {
        codes[i] = static_cast<uint8_t>((i * 37 + 11) % (1 << bits));
        signed_codes[i] = static_cast<int8_t>(codes[i] - half);
      }
      Bytes bytes = packed(codes, bits);
      ASSERT_EQ(bytes.size(), (count * bits + 7) / 8);
      Bytes back(count);
      unpack_bits(bytes, bits, std::span<uint8_t>(back));
      ASSERT_EQ(back, codes) << bits << " bits, " << count << " codes";

      pack_bits(std::span<const int8_t>(signed_codes), bits, bytes);
      std::vector<int8_t> signed_back(count);
      unpack_bits(bytes, bits, std::span<int8_t>(signed_back));
      ASSERT_EQ(signed_back, signed_codes) << bits << " bits, " << count << " codes";
    }
  }
}

TEST(PackBits, RefusesOtherWidthsAndSizes) {
  const auto error_of = [](size_t codes, int bits, size_t bytes) {
    const Bytes from(codes);
    Bytes to(bytes);
    return error_text([&] { pack_bits(std::span<const uint8_t>(from), bits, to); });
  };
  EXPECT_EQ(error_of(4, 9, 5), "pack_bits: codes of 9 bits\n  allowed here: 1 to 8 bits");
  EXPECT_NE(error_of(4, 0, 0), "");
  EXPECT_EQ(error_of(3, 4, 1), "pack_bits: 1 bytes for 3 codes of 4 bits\n  allowed here: 2 bytes");
  Bytes codes(3);
  EXPECT_THROW(unpack_bits(Bytes{1}, 4, std::span<uint8_t>(codes)), Error);
}

}  // namespace
}  // namespace torquant
