#include "torquant/kernels/attention/pack_keys.h"

namespace torquant {
namespace {

// Four words, of one instruction on every CPU that we build for.
using Words __attribute__((vector_size(16))) = uint32_t;

}  // namespace

void pack_keys(const PackKeysArgs& args) {
  for (size_t row = 0; row < 16; row += 4) {
    const uint8_t* codes = args.codes + row * args.codes_step;
    Words sums = {};
    for (size_t first = 0; first < args.quads; first += 4) {
      Words r[4];  // quads first to first + 3 of four rows
      for (size_t i = 0; i < 4; ++i) __builtin_memcpy(&r[i], codes + i * args.codes_step + first * 4, sizeof r[i]);
      const Words low01 = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
      const Words low23 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
      const Words high01 = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
      const Words high23 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
      const Words quads[4] = {
          __builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
          __builtin_shufflevector(high01, high23, 0, 1, 4, 5), __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
      const size_t count = args.quads - first < 4 ? args.quads - first : 4;
      Words pairs = {};  // sums of bytes 0 and 1 in the low halves, of 2 and 3 in the high ones
      for (size_t i = 0; i < count; ++i) {
        const Words signed_codes = quads[i] ^ 0x80808080U;
        __builtin_memcpy(args.packed + (first + i) * 64 + row * 4, &signed_codes, sizeof signed_codes);
        pairs += (quads[i] & 0x00ff00ffU) + (quads[i] >> 8 & 0x00ff00ffU);
      }
      sums += (pairs & 0xffffU) + (pairs >> 16) - static_cast<uint32_t>(count * 4 * 128);
    }
    __builtin_memcpy(args.sums + row, &sums, sizeof sums);
  }
}

}  // namespace torquant
