#pragma once

#include "torquant/kernels/rows/row_blocks.h"
#include "torquant/kernels/rows/rows.h"

namespace torquant {

struct RowGrid {
  float scale;
  int32_t zero_point;  // of u8 codes
};

// Nearest integer, ties to even, of up to 2^22.
TORQUANT_INLINE float to_integer(float x) { return (x + kRoundToInteger) - kRoundToInteger; }

template <class R>
TORQUANT_INLINE RowGrid choose_grid(const float* x, size_t columns) {
  auto least = all<R>(0), greatest = all<R>(0);
  for_each_block<R>(columns, [&](size_t column, size_t count) TORQUANT_INLINED {
    const auto block = load<R>(x + column, count);
    least = less<R>(block, least);  // of a NaN and a number, the number
    greatest = greater<R>(block, greatest);
  });
  const float lo = least_of<R>(least), hi = greatest_of<R>(greatest);
  float scale = (hi - lo) / 255.0f;
  scale = scale < 0x1p-23f ? 0x1p-23f : scale;
  const float below = lo / scale, above = hi / scale;
  float zero_point = (below - 128.0f) + (above + 127.0f) > 0 ? -128.0f - below : 127.0f - above;
  zero_point = zero_point > -128.0f ? zero_point < 127.0f ? zero_point : 127.0f : -128.0f;  // NaN: -128
  return {scale, 128 + static_cast<int32_t>(to_integer(zero_point))};
}

// As PyTorch computes them: in float64. Of R so that each instruction set has its own.
template <class R>
__attribute__((noinline)) void exact_codes(const float* x, uint8_t* codes, size_t count, const RowGrid& grid) {
  const double inv_scale = 1.0 / static_cast<double>(grid.scale), zero_point = grid.zero_point - 128;
  for (size_t i = 0; i < count; ++i) {
    double code = static_cast<double>(x[i]) * inv_scale + zero_point;
    code = code > -128.0 ? code < 127.0 ? code : 127.0 : -128.0;  // NaN: -128
    codes[i] = static_cast<uint8_t>(static_cast<int32_t>((code + 0x1.8p52) - 0x1.8p52) + 128);
  }
}

// In float32 x / scale is off by 255 * 2^-24 at most. Where no number of some blocks is as near as that to the middle
// between two integers, all of their codes are those of float64; else they are computed anew.
template <class R>
TORQUANT_INLINE void quantize_row(const float* x, uint8_t* codes, size_t columns, const RowGrid& grid) {
  constexpr size_t kColumns = 128;          // that are checked together
  constexpr int32_t kNearTie = 0x3efffe00;  // 0.5 - 2^-16
  const auto inv_scale = R::all(static_cast<float>(1.0 / static_cast<double>(grid.scale)));
  const auto round = R::all(kRoundToInteger);
  const auto zero_point = R::ints(grid.zero_point - kRoundToIntegerBits);
  for (size_t begin = 0; begin < columns; begin += kColumns) {
    const size_t some = columns - begin < kColumns ? columns - begin : kColumns;
    typename R::Ints furthest = R::ints(0);
    for_each_block<R>(some, [&](size_t column, size_t count) TORQUANT_INLINED {
      const auto block = load<R>(x + begin + column, count);
      typename R::Ints ints[kParts<R>];
      for_each_part<R>([&](size_t i) TORQUANT_INLINED {
        const auto rounded = R::fma(block.part[i], inv_scale, round);
        const auto rest = R::fma(block.part[i], inv_scale, round - rounded);
        furthest = R::max_ints(furthest, R::bits(absolute<R>(rest)));  // bits of a NaN are above those of numbers
        ints[i] = R::add(R::bits(rounded), zero_point);
      });
      store_codes<R>(codes + begin + column, ints, count);
    });
    if (R::any_above(furthest, kNearTie)) exact_codes<R>(x + begin, codes + begin, some, grid);
  }
}

template <class R>
void quantize_rows(const QuantizeRowsArgs& args) {
  if (args.rows == 0) return;
  const size_t padded = (args.columns + 3) / 4 * 4;
  RowGrid next = choose_grid<R>(args.x, args.columns);
  for (size_t r = 0; r < args.rows; ++r) {
    const float* x = args.x + r * args.x_step;
    uint8_t* codes = args.codes + r * args.codes_step;
    const RowGrid grid = next;
    // A row ahead, so that nothing waits for the divisions.
    if (r + 1 < args.rows) next = choose_grid<R>(x + args.x_step, args.columns);
    quantize_row<R>(x, codes, args.columns, grid);
    for (size_t c = args.columns; c < padded; ++c) codes[c] = static_cast<uint8_t>(grid.zero_point);
    args.scale[r] = grid.scale;
    args.zero_point[r] = grid.zero_point;
  }
}

}  // namespace torquant
