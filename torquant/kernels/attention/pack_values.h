#pragma once

#include "torquant/kernels/attention/attention_kernels.h"
#include "torquant/kernels/attention/symmetric_grids.h"

namespace torquant {

// Of up to 16 columns.
template <class R>
TORQUANT_INLINE Block<R> greatest_of_columns(const PackValuesArgs& args) {
  Block<R> most[4];  // of every fourth row, so that none waits for the one before
#pragma GCC unroll 4
  for (auto& some : most) some = all<R>(0);
  size_t row = 0;
  for (; row + 4 <= args.rows; row += 4) {
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i)
      most[i] = greater_magnitude<R>(load<R>(args.x + (row + i) * args.x_step, args.columns), most[i]);
  }
  for (; row < args.rows; ++row)
    most[0] = greater_magnitude<R>(load<R>(args.x + row * args.x_step, args.columns), most[0]);
  return greater<R>(greater<R>(most[0], most[1]), greater<R>(most[2], most[3]));
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
  const SymmetricGrids<R> grids(greatest_of_columns<R>(args));
  store<R>(args.scale, grids.scale, 16);
  uint8_t codes[4][16];
  for (size_t row = 0; row < args.rows; row += 4) {
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      if (row + i < args.rows) {
        store_symmetric_codes<R>(load<R>(args.x + (row + i) * args.x_step, args.columns), grids.inv_scale, codes[i]);
      } else {
        __builtin_memset(codes[i], 128, sizeof codes[i]);
      }
    }
    store_quads(codes, args.packed + row * 16);
  }
}

}  // namespace torquant
