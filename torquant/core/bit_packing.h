#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// Codes of 1 to 8 bits without gaps (docs/semantics.md, Q23). The packed bytes are one string of bits, the lowest bit
// of each byte first; code i has the bits [i * bits, (i + 1) * bits), its lowest bit first. So two 4-bit codes share a
// byte, the first in the low nibble, and a 3-bit code may lie across two bytes. The bits after the last code are 0.

namespace torquant {

size_t packed_bytes(size_t count, int bits);

// The low `bits` bits of each code: for signed codes their two's complement. packed: packed_bytes(codes.size(), bits).
void pack_bits(std::span<const uint8_t> codes, int bits, std::span<uint8_t> packed);
void pack_bits(std::span<const int8_t> codes, int bits, std::span<uint8_t> packed);

// The inverse; into int8_t the highest bit of a code is its sign.
void unpack_bits(std::span<const uint8_t> packed, int bits, std::span<uint8_t> codes);
void unpack_bits(std::span<const uint8_t> packed, int bits, std::span<int8_t> codes);

}  // namespace torquant
