#pragma once

#include "torquant/kernels/attention/attention_kernels.h"
#include "torquant/kernels/rows/row_blocks.h"

namespace torquant {

constexpr float kLog2E = 0x1.715476p0f;

template <class R>
struct ScoresRow {
  const float* scores;
  const float* mask;  // or null
  typename R::Floats scale;
  size_t visible;

  // s of the keys from `key` on, -inf behind the row.
  TORQUANT_INLINE Block<R> at(size_t key, size_t count) const {
    const auto by = scale;
    auto s = each<R>([=](auto part) TORQUANT_INLINED { return part * by; }, load<R>(scores + key, 16));
    if (mask != nullptr) {
      s = each<R>([=](auto part, auto add) TORQUANT_INLINED { return R::fma(add, R::all(kLog2E), part); }, s,
                  load<R>(mask + key, count));
    }
    return keep_first<R>(s, count, -__builtin_inff());
  }
};

template <class R>
TORQUANT_INLINE float greatest_of(const ScoresRow<R>& row) {
  auto greatest = all<R>(-__builtin_inff());
  for_each_block(row.visible, [&](size_t key, size_t count)
                                  TORQUANT_INLINED { greatest = greater<R>(row.at(key, count), greatest); });
  const float most = greatest_of<R>(greatest);
  return most == -__builtin_inff() ? 0 : most;  // so that -inf - most is -inf
}

// Gives Σ codes.
template <class R>
TORQUANT_INLINE float weigh_row(const ScoresRow<R>& row, uint8_t* codes) {
  constexpr float kFit[] = {0x1.c23368p+3f, 0x1.eeed3cp+5f, 0x1.619028p+7f, 0x1.fdf69cp+7f};  // Remez
  const auto most = R::all(greatest_of<R>(row)), round = R::all(kRoundToInteger);
  typename R::Ints sums[kParts<R>];
#pragma GCC unroll 16
  for (auto& sum : sums) sum = R::ints(0);
  int32_t blocks = 0;
  for_each_block(row.visible, [&](size_t key, size_t count) TORQUANT_INLINED {
    const auto s = row.at(key, count);
    typename R::Ints ints[kParts<R>];
#pragma GCC unroll 16
    for (size_t i = 0; i < kParts<R>; ++i) {
      const auto t = R::max(s.part[i] - most, R::all(-20));  // NaN: -20
      const auto power = t + round;                          // n in its lowest bits
      const auto fraction = R::bits(polynomial<R>(t - (power - round), kFit));
      const auto p = R::from_bits(R::add(fraction, R::to_exponents(R::bits(power))));
      ints[i] = R::bits(p + round);  // the code in its lowest bits
      sums[i] = R::add(sums[i], ints[i]);
    }
    R::store_lowest_bytes(codes + key, ints);
    ++blocks;
  });
  // Less the bits of kRoundToInteger of each block.
  const auto rest = R::ints(static_cast<int32_t>(0U - 0x4b400000U * static_cast<uint32_t>(blocks)));
  Block<R> totals;
#pragma GCC unroll 16
  for (size_t i = 0; i < kParts<R>; ++i) totals.part[i] = R::to_floats(R::add(sums[i], rest));
  return sum_of<R>(totals);
}

template <class R>
void weigh_keys(const WeighKeysArgs& args) {
  const size_t padded = (args.keys + 15) / 16 * 16;
  for (size_t r = 0; r < args.rows; ++r) {
    size_t visible = args.keys;
    if (args.first_limit < visible) {
      const size_t limit = args.first_limit + r * args.limit_step;
      visible = limit < visible ? limit : visible;
    }
    uint8_t* codes = args.codes + r * args.code_step;
    const float sum = weigh_row<R>({.scores = args.scores + r * args.score_step,
                                    .mask = args.mask == nullptr ? nullptr : args.mask + r * args.mask_step,
                                    .scale = R::all(args.scale[r] * kLog2E),
                                    .visible = visible},
                                   codes);
    const size_t written = (visible + 15) / 16 * 16;
    __builtin_memset(codes + written, 0, padded - written);
    args.inverse_sum[r] = sum == 0 ? 0 : 1 / sum;
  }
}

}  // namespace torquant
