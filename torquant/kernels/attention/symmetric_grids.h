#pragma once

#include "torquant/kernels/rows/row_blocks.h"

// K10 of docs/semantics.md, over the registers of an instruction set.

namespace torquant {

// Of a NaN and a number, b.
template <class R>
TORQUANT_INLINE Block<R> greater_magnitude(const Block<R>& a, const Block<R>& b) {
  return each<R>([](auto x, auto most) TORQUANT_INLINED { return R::max(absolute<R>(x), most); }, a, b);
}

// Sixteen grids, of numbers up to `most`.
template <class R>
struct SymmetricGrids {
  Block<R> scale, inv_scale;

  explicit TORQUANT_INLINE SymmetricGrids(const Block<R>& most)
      : scale(each<R>([](auto x) TORQUANT_INLINED { return R::max(x / R::all(127), R::all(0x1p-23f)); }, most)),
        inv_scale(each<R>([](auto x) TORQUANT_INLINED { return R::all(1) / x; }, scale)) {}
};

// Codes of sixteen numbers, plus 128.
template <class R>
TORQUANT_INLINE void store_symmetric_codes(const Block<R>& x, const Block<R>& inv_scale, uint8_t* codes) {
  typename R::Ints ints[kParts<R>];
  for_each_part<R>([&](size_t i) TORQUANT_INLINED {
    const auto steps = R::max(x.part[i] * inv_scale.part[i], R::all(-127));  // NaN: -127
    ints[i] = R::bits(steps + R::all(kRoundToInteger + 128));                // the code in its lowest bits
  });
  R::store_lowest_bytes(codes, ints);
}

}  // namespace torquant
