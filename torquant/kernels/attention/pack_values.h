#pragma once

#include "torquant/kernels/attention/attention_kernels.h"
#include "torquant/kernels/rows/row_blocks.h"

namespace torquant {

// Of up to 16 columns; zeros behind the last row.
template <class R>
TORQUANT_INLINE void grid_of_columns(const PackValuesArgs& args, Block<R>& inv_scale) {
  Block<R> most[4];  // of every fourth row, so that none waits for the one before
#pragma GCC unroll 4
  for (auto& some : most) some = all<R>(0);
  const auto take = [&](Block<R>& of, size_t row) TORQUANT_INLINED {
    const auto x = load<R>(args.x + row * args.x_step, args.columns);
    of = greater<R>(each<R>([](auto part) TORQUANT_INLINED { return absolute<R>(part); }, x), of);
  };
  size_t row = 0;
  for (; row + 4 <= args.rows; row += 4) {
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) take(most[i], row + i);
  }
  for (; row < args.rows; ++row) take(most[0], row);
  most[0] = greater<R>(greater<R>(most[0], most[1]), greater<R>(most[2], most[3]));
  const Block<R> scale =
      each<R>([](auto part) TORQUANT_INLINED { return R::max(part / R::all(127), R::all(0x1p-23f)); }, most[0]);
  store<R>(args.scale, scale, 16);
  inv_scale = each<R>([](auto part) TORQUANT_INLINED { return R::all(1) / part; }, scale);
}

// Codes of a row plus 128.
template <class R>
TORQUANT_INLINE void codes_of_row(const PackValuesArgs& args, size_t row, const Block<R>& inv_scale, uint8_t* codes) {
  const auto x = load<R>(args.x + row * args.x_step, args.columns);
  typename R::Ints ints[kParts<R>];
#pragma GCC unroll 16
  for (size_t i = 0; i < kParts<R>; ++i) {
    const auto steps = R::min(R::max(x.part[i] * inv_scale.part[i], R::all(-127)), R::all(127));  // NaN: -127
    ints[i] = R::add(R::bits(steps + R::all(kRoundToInteger)), R::ints(128 - 0x4b400000));
  }
  R::store_codes(codes, ints);
}

using Bytes __attribute__((vector_size(16))) = uint8_t;
using Pairs __attribute__((vector_size(16))) = uint16_t;

TORQUANT_INLINE void store_quads(const uint8_t (&codes)[4][16], int8_t* packed) {
  Bytes row[4];
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; ++i) {
    __builtin_memcpy(&row[i], codes[i], sizeof row[i]);
    row[i] ^= 0x80;
  }
#define TORQUANT_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define TORQUANT_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
  const Pairs low01 = (Pairs)__builtin_shufflevector(row[0], row[1], TORQUANT_LOW);
  const Pairs low23 = (Pairs)__builtin_shufflevector(row[2], row[3], TORQUANT_LOW);
  const Pairs high01 = (Pairs)__builtin_shufflevector(row[0], row[1], TORQUANT_HIGH);
  const Pairs high23 = (Pairs)__builtin_shufflevector(row[2], row[3], TORQUANT_HIGH);
#undef TORQUANT_LOW
#undef TORQUANT_HIGH
  const Pairs quads[4] = {__builtin_shufflevector(low01, low23, 0, 8, 1, 9, 2, 10, 3, 11),
                          __builtin_shufflevector(low01, low23, 4, 12, 5, 13, 6, 14, 7, 15),
                          __builtin_shufflevector(high01, high23, 0, 8, 1, 9, 2, 10, 3, 11),
                          __builtin_shufflevector(high01, high23, 4, 12, 5, 13, 6, 14, 7, 15)};
  __builtin_memcpy(packed, quads, sizeof quads);
}

template <class R>
void pack_values(const PackValuesArgs& args) {
  Block<R> inv_scale;
  grid_of_columns<R>(args, inv_scale);
  uint8_t codes[4][16];
  for (size_t row = 0; row < args.rows; row += 4) {
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      if (row + i < args.rows) {
        codes_of_row<R>(args, row + i, inv_scale, codes[i]);
      } else {
        __builtin_memset(codes[i], 128, sizeof codes[i]);
      }
    }
    store_quads(codes, args.packed + row * 16);
  }
}

}  // namespace torquant
