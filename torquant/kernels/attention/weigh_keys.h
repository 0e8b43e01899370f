#pragma once

#include "torquant/kernels/attention/attention_kernels.h"
#include "torquant/kernels/rows/row_blocks.h"

namespace torquant {

template <class R>
struct ScoresRow {
  const float* scores;
  const float* mask;  // or null
  size_t visible;

  // s of the keys from `key` on, -inf behind the row.
  TORQUANT_INLINE Block<R> at(size_t key, size_t count) const {
    auto s = load<R>(scores + key, 16);
    if (mask != nullptr) {
      s = each<R>([](auto score, auto add) TORQUANT_INLINED { return R::fma(add, R::all(kLog2E), score); }, s,
                  load<R>(mask + key, count));
    }
    return keep_first<R>(s, count, -__builtin_inff());
  }
};

template <class R>
TORQUANT_INLINE ScoresRow<R> row_of(const WeighKeysArgs& args, size_t row) {
  size_t visible = args.keys;
  if (args.first_limit < visible) {
    const size_t limit = args.first_limit + row * args.limit_step;
    visible = limit < visible ? limit : visible;
  }
  return {.scores = args.scores + row * args.score_step,
          .mask = args.mask == nullptr ? nullptr : args.mask + row * args.mask_step,
          .visible = visible};
}

template <class R>
TORQUANT_INLINE float greatest_of(const ScoresRow<R>& row) {
  auto greatest = all<R>(-__builtin_inff());
  for_each_block<R>(row.visible, [&](size_t key, size_t count)
                                     TORQUANT_INLINED { greatest = greater<R>(row.at(key, count), greatest); });
  const float most = greatest_of<R>(greatest);
  return most == -__builtin_inff() ? 0 : most;  // so that -inf - most is -inf
}

// Gives Σ codes.
template <class R>
TORQUANT_INLINE float weigh_row(const ScoresRow<R>& row, float greatest, uint8_t* codes) {
  constexpr float kFit[] = {0x1.3e570ep+4f, 0x1.cd2d50p+5f, 0x1.62e006p+7f, 0x1.fdf63cp+7f};  // by Remez' algorithm
  const auto most = R::all(greatest);
  typename R::Ints sums[kParts<R>];
  for_each_part<R>([&](size_t i) TORQUANT_INLINED { sums[i] = R::ints(0); });
  for_each_block<R>(row.visible, [&](size_t key, size_t count) TORQUANT_INLINED {
    const auto s = row.at(key, count);
    typename R::Ints ints[kParts<R>];
    for_each_part<R>([&](size_t i) TORQUANT_INLINED {
      const auto t = R::max(s.part[i] - most, R::all(-20));  // NaN: -20
      const auto p = R::times_power_of_floor(polynomial<R>(R::fraction(t), kFit), t);
      ints[i] = R::bits(p + R::all(kRoundToInteger));  // the code in its lowest bits
      sums[i] = R::add(sums[i], ints[i]);
    });
    R::store_lowest_bytes(codes + key, ints);
  });
  // Less the bits of kRoundToInteger of each block.
  const auto blocks = static_cast<uint32_t>((row.visible + 15) / 16);
  const auto rest = R::ints(static_cast<int32_t>(0U - 0x4b400000U * blocks));
  Block<R> totals;
  for_each_part<R>([&](size_t i) TORQUANT_INLINED { totals.part[i] = R::to_floats(R::add(sums[i], rest)); });
  return sum_of<R>(totals);
}

template <class R>
void weigh_keys(const WeighKeysArgs& args) {
  constexpr size_t kRows = 16;  // whose maxima are found first, so that no row waits for its own
  const size_t padded = (args.keys + 15) / 16 * 16;
  for (size_t begin = 0; begin < args.rows; begin += kRows) {
    const size_t rows = args.rows - begin < kRows ? args.rows - begin : kRows;
    float most[kRows];
    for (size_t i = 0; i < rows; ++i) most[i] = greatest_of<R>(row_of<R>(args, begin + i));
    for (size_t i = 0; i < rows; ++i) {
      const ScoresRow<R> row = row_of<R>(args, begin + i);
      uint8_t* codes = args.codes + (begin + i) * args.code_step;
      const float sum = weigh_row<R>(row, most[i], codes);
      const size_t written = (row.visible + 15) / 16 * 16;
      if (written < padded) __builtin_memset(codes + written, 0, padded - written);
      args.inverse_sum[begin + i] = sum == 0 ? 0 : 1 / sum;
    }
  }
}

}  // namespace torquant
