#pragma once

#include "torquant/kernels/rows/row_blocks.h"
#include "torquant/kernels/rows/rows.h"

namespace torquant {

template <class R>
struct SoftmaxRow {
  const float* x;
  const float* mask;  // or null
  typename R::Floats multiplier;
  size_t visible;

  // s of the columns from `column` on; -inf behind the row.
  TORQUANT_INLINE Block<R> at(size_t column, size_t count) const {
    auto block = load<R>(x + column, count);
    const auto by = multiplier;
    if (mask == nullptr) {
      block = each<R>([=](auto number) TORQUANT_INLINED { return number * by; }, block);
    } else {
      block = each<R>([=](auto number, auto add) TORQUANT_INLINED { return R::fma(number, by, add); }, block,
                      load<R>(mask + column, count));
    }
    return keep_first<R>(block, count, -__builtin_inff());
  }
};

template <class R>
TORQUANT_INLINE float greatest_of(const SoftmaxRow<R>& row) {
  auto greatest = all<R>(-__builtin_inff());
  for_each_block<R>(row.visible, [&](size_t column, size_t count)
                                     TORQUANT_INLINED { greatest = greater<R>(row.at(column, count), greatest); });
  const float most = greatest_of<R>(greatest);
  return most == -__builtin_inff() ? 0 : most;  // so that -inf - most is -inf
}

template <class R>
TORQUANT_INLINE Block<R> powers(const Block<R>& block, float most) {
  return each<R>([=](auto s) TORQUANT_INLINED { return exp<R>(s - R::all(most)); }, block);
}

template <class R>
TORQUANT_INLINE void softmax_row(const SoftmaxRow<R>& row, float* y) {
  const float most = greatest_of<R>(row);
  auto sums = all<R>(0);
  for_each_block<R>(row.visible, [&](size_t column, size_t count) TORQUANT_INLINED {
    const auto block = powers<R>(row.at(column, count), most);
    sums = add<R>(sums, block);
    store<R>(y + column, block, count);
  });
  const float sum = sum_of<R>(sums), inverse = sum == 0 ? 0 : 1 / sum;
  for_each_block<R>(row.visible, [&](size_t column, size_t count) TORQUANT_INLINED {
    const auto block =
        each<R>([=](auto p) TORQUANT_INLINED { return p * R::all(inverse); }, load<R>(y + column, count));
    store<R>(y + column, block, count);
  });
}

template <class R>
TORQUANT_INLINE void log_softmax_row(const SoftmaxRow<R>& row, float* y) {
  const float most = greatest_of<R>(row);
  auto sums = all<R>(0);
  for_each_block<R>(row.visible, [&](size_t column, size_t count)
                                     TORQUANT_INLINED { sums = add<R>(sums, powers<R>(row.at(column, count), most)); });
  const auto log_of_sum = log<R>(R::all(sum_of<R>(sums)));
  for_each_block<R>(row.visible, [&](size_t column, size_t count) TORQUANT_INLINED {
    const auto block =
        each<R>([=](auto s) TORQUANT_INLINED { return (s - R::all(most)) - log_of_sum; }, row.at(column, count));
    store<R>(y + column, block, count);
  });
}

// Gives 1 / Σ codes.
template <class R>
TORQUANT_INLINE float softmax_codes(const SoftmaxRow<R>& row, uint8_t* codes) {
  const float most = greatest_of<R>(row);
  const auto round = R::all(kRoundToInteger);
  auto sums = all<R>(0);
  for_each_block<R>(row.visible, [&](size_t column, size_t count) TORQUANT_INLINED {
    const auto block = powers<R>(row.at(column, count), most);
    typename R::Ints ints[kParts<R>];
    for_each_part<R>([&](size_t i) TORQUANT_INLINED {
      const auto rounded = R::max(block.part[i] * R::all(255), R::all(0)) + round;  // NaN: 0
      ints[i] = R::add(R::bits(rounded), R::ints(-kRoundToIntegerBits));
      sums.part[i] = sums.part[i] + (rounded - round);  // exact, up to 65,000 times 255
    });
    store_codes<R>(codes + column, ints, count);
  });
  const float sum = sum_of<R>(sums);
  return sum == 0 ? 0 : 1 / sum;
}

template <class R>
void softmax_rows(const SoftmaxRowsArgs& args) {
  for (size_t r = 0; r < args.rows; ++r) {
    size_t visible = args.columns;
    if (args.first_visible_limit < visible) {
      const size_t limit = args.first_visible_limit + r * args.limit_step;
      visible = limit < visible ? limit : visible;
    }
    const SoftmaxRow<R> row{.x = args.x + r * args.x_step,
                            .mask = args.mask == nullptr ? nullptr : args.mask + r * args.mask_step,
                            .multiplier = R::all(args.multiplier == nullptr ? 1 : args.multiplier[r]),
                            .visible = visible};
    if (args.y == nullptr) {
      uint8_t* codes = args.codes + r * args.codes_step;
      args.inverse_sum[r] = softmax_codes<R>(row, codes);
      __builtin_memset(codes + visible, 0, (args.columns + 3) / 4 * 4 - visible);
      continue;
    }
    float* y = args.y + r * args.y_step;
    if (args.log) {
      log_softmax_row<R>(row, y);
    } else {
      softmax_row<R>(row, y);
    }
    for (size_t c = visible; c < args.columns; ++c) y[c] = args.log ? -__builtin_inff() : 0;
  }
}

}  // namespace torquant
