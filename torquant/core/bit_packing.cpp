#include "torquant/core/bit_packing.h"

#include <fmt/format.h>

#include <algorithm>

#include "torquant/core/error.h"

namespace torquant {
namespace {

void check(const char* where, size_t count, int bits, size_t bytes) {
  if (bits < 1 || bits > 8) {
    throw Error({.where = where, .what = fmt::format("codes of {} bits", bits), .allowed = "1 to 8 bits"});
  }
  if (bytes != packed_bytes(count, bits)) {
    throw Error({.where = where,
                 .what = fmt::format("{} bytes for {} codes of {} bits", bytes, count, bits),
                 .allowed = fmt::format("{} bytes", packed_bytes(count, bits))});
  }
}

// Eight codes are `bits` bytes: whole groups go through one 64-bit word, the rest is a group filled up with zeros.
template <class Code>
void pack(std::span<const Code> codes, int bits, std::span<uint8_t> packed) {
  check("pack_bits", codes.size(), bits, packed.size());
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  for (size_t i = 0, byte = 0; i < codes.size(); i += 8, byte += bits) {
    const size_t count = std::min<size_t>(8, codes.size() - i);
    uint64_t word = 0;
    for (size_t j = 0; j < count; ++j) word |= (static_cast<uint64_t>(codes[i + j]) & mask) << (j * bits);
    const size_t bytes = packed_bytes(count, bits);
    for (size_t j = 0; j < bytes; ++j) packed[byte + j] = static_cast<uint8_t>(word >> (8 * j));
  }
}

template <class Code>
void unpack(std::span<const uint8_t> packed, int bits, std::span<Code> codes) {
  check("unpack_bits", codes.size(), bits, packed.size());
  const int unused = 8 - bits;
  for (size_t i = 0, byte = 0; i < codes.size(); i += 8, byte += bits) {
    const size_t count = std::min<size_t>(8, codes.size() - i);
    const size_t bytes = packed_bytes(count, bits);
    uint64_t word = 0;
    for (size_t j = 0; j < bytes; ++j) word |= uint64_t{packed[byte + j]} << (8 * j);
    for (size_t j = 0; j < count; ++j) {
      // Shifted to the top of a byte and back, which copies the sign of a signed Code.
      const auto top = static_cast<Code>(static_cast<uint8_t>((word >> (j * bits)) << unused));
      codes[i + j] = static_cast<Code>(top >> unused);
    }
  }
}

}  // namespace

size_t packed_bytes(size_t count, int bits) { return (count / 8) * bits + ((count % 8) * bits + 7) / 8; }

void pack_bits(std::span<const uint8_t> codes, int bits, std::span<uint8_t> packed) { pack(codes, bits, packed); }
void pack_bits(std::span<const int8_t> codes, int bits, std::span<uint8_t> packed) { pack(codes, bits, packed); }
void unpack_bits(std::span<const uint8_t> packed, int bits, std::span<uint8_t> codes) { unpack(packed, bits, codes); }
void unpack_bits(std::span<const uint8_t> packed, int bits, std::span<int8_t> codes) { unpack(packed, bits, codes); }

}  // namespace torquant
