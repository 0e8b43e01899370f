#pragma once

#include "torquant/kernels/lanes/functions.h"

// Sixteen numbers of a row at a time, in as many registers as an instruction set needs for them.

namespace torquant {

template <class R>
constexpr size_t kParts = 16 / R::kLanes;

template <class R>
struct Block {
  typename R::Floats part[kParts<R>];
};

// How many of a block's first `count` numbers are in a part.
template <class R>
TORQUANT_INLINE size_t in_part(size_t part, size_t count) {
  const size_t first = part * R::kLanes;
  return count <= first ? 0 : count - first < R::kLanes ? count - first : R::kLanes;
}

// f(i) of each part. Registers want to be named, so the loop is unrolled, but for single floats.
template <class R, class F>
TORQUANT_INLINE void for_each_part(F f) {
  if constexpr (R::kLanes == 1) {
#pragma GCC unroll 1
    for (size_t i = 0; i < kParts<R>; ++i) f(i);
  } else {
#pragma GCC unroll 4
    for (size_t i = 0; i < kParts<R>; ++i) f(i);
  }
}

template <class R>
TORQUANT_INLINE Block<R> all(float value) {
  Block<R> block;
  for_each_part<R>([&](size_t i) TORQUANT_INLINED { block.part[i] = R::all(value); });
  return block;
}

// Zeros behind the first `count`, of up to sixteen.
template <class R>
TORQUANT_INLINE Block<R> load(const float* from, size_t count) {
  Block<R> block;
  for_each_part<R>([&](size_t i) TORQUANT_INLINED {
    const size_t here = in_part<R>(i, count);
    block.part[i] = here == R::kLanes ? R::load(from + i * R::kLanes) : R::load_first(from + i * R::kLanes, here);
  });
  return block;
}

template <class R>
TORQUANT_INLINE void store(float* to, const Block<R>& block, size_t count) {
  for_each_part<R>([&](size_t i) TORQUANT_INLINED {
    const size_t here = in_part<R>(i, count);
    if (here == R::kLanes) {
      R::store(to + i * R::kLanes, block.part[i]);
    } else {
      R::store_first(to + i * R::kLanes, block.part[i], here);
    }
  });
}

// Codes of which the first `count` are stored.
template <class R>
TORQUANT_INLINE void store_codes(uint8_t* to, const typename R::Ints (&codes)[kParts<R>], size_t count) {
  if (count == 16) return R::store_codes(to, codes);
  uint8_t all[16];
  R::store_codes(all, codes);
  __builtin_memcpy(to, all, count);
}

template <class R>
TORQUANT_INLINE Block<R> keep_first(Block<R> block, size_t count, float otherwise) {
  if (count == 16) return block;
  for_each_part<R>([&](size_t i) TORQUANT_INLINED {
    block.part[i] = R::keep_first(block.part[i], in_part<R>(i, count), R::all(otherwise));
  });
  return block;
}

// f of each part of a block, or of the same parts of several.
template <class R, class F, class... Blocks>
TORQUANT_INLINE Block<R> each(F f, const Blocks&... blocks) {
  Block<R> y;
  for_each_part<R>([&](size_t i) TORQUANT_INLINED { y.part[i] = f(blocks.part[i]...); });
  return y;
}

template <class R>
TORQUANT_INLINE Block<R> add(const Block<R>& a, const Block<R>& b) {
  return each<R>([](auto x, auto y) TORQUANT_INLINED { return x + y; }, a, b);
}

// Of a NaN and a number, b's.
template <class R>
TORQUANT_INLINE Block<R> less(const Block<R>& a, const Block<R>& b) {
  return each<R>([](auto x, auto y) TORQUANT_INLINED { return R::min(x, y); }, a, b);
}

template <class R>
TORQUANT_INLINE Block<R> greater(const Block<R>& a, const Block<R>& b) {
  return each<R>([](auto x, auto y) TORQUANT_INLINED { return R::max(x, y); }, a, b);
}

template <class R>
TORQUANT_INLINE float sum_of(const Block<R>& block) {
  return R::fold(block.part, [](auto a, auto b) TORQUANT_INLINED { return a + b; });
}

// Sums along a row, of which four blocks are under way at once: an addition takes as long as four begin.
template <class R>
struct Sums {
  Block<R> of[4] = {all<R>(0), all<R>(0), all<R>(0), all<R>(0)};

  TORQUANT_INLINE float total() const { return sum_of<R>(add<R>(add<R>(of[0], of[2]), add<R>(of[1], of[3]))); }
};

template <class R>
TORQUANT_INLINE float least_of(const Block<R>& block) {
  return R::fold(block.part, [](auto a, auto b) TORQUANT_INLINED { return a < b ? a : b; });
}

template <class R>
TORQUANT_INLINE float greatest_of(const Block<R>& block) {
  return R::fold(block.part, [](auto a, auto b) TORQUANT_INLINED { return a > b ? a : b; });
}

// f(first column, how many) for each block of a row, the last one with fewer. Of single floats, which nobody runs for
// their speed, f is there once.
template <class R, class F>
TORQUANT_INLINE void for_each_block(size_t columns, F f) {
  if constexpr (R::kLanes > 1) {
    size_t column = 0;
    for (; column + 16 <= columns; column += 16) f(column, 16);
    if (column < columns) f(column, columns - column);
  } else {
#pragma GCC unroll 1
    for (size_t column = 0; column < columns; column += 16) f(column, columns - column < 16 ? columns - column : 16);
  }
}

// f(first column, how many, which of four sums) for each block of a row: the first one for what is left of 64 columns.
template <class R, class F>
TORQUANT_INLINE void for_each_summand(size_t columns, F f) {
  const size_t whole = columns / 64 * 64;
  if constexpr (R::kLanes > 1) {
    for (size_t column = 0; column < whole; column += 64) {
#pragma GCC unroll 4
      for (size_t i = 0; i < 4; ++i) f(column + i * 16, 16, i);
    }
    for_each_block<R>(columns - whole,
                      [&](size_t column, size_t count) TORQUANT_INLINED { f(whole + column, count, 0); });
  } else {
    for_each_block<R>(columns, [&](size_t column, size_t count)
                                   TORQUANT_INLINED { f(column, count, column < whole ? column / 16 % 4 : 0); });
  }
}

}  // namespace torquant
