#pragma once

#include "torquant/kernels/rows/row_blocks.h"
#include "torquant/kernels/rows/rows.h"

namespace torquant {

// Numbers from `column` on; -inf behind the row.
template <class R>
TORQUANT_INLINE Block<R> or_less(const float* x, size_t column, size_t count) {
  return keep_first<R>(load<R>(x + column, count), count, -__builtin_inff());
}

template <class R>
TORQUANT_INLINE float greatest_of(const float* x, size_t columns) {
  auto greatest = all<R>(-__builtin_inff());
  for_each_block<R>(columns, [&](size_t column, size_t count)
                                 TORQUANT_INLINED { greatest = greater<R>(or_less<R>(x, column, count), greatest); });
  const float most = greatest_of<R>(greatest);
  return most == -__builtin_inff() ? 0 : most;  // so that -inf - most is -inf
}

template <class R>
TORQUANT_INLINE Block<R> powers(const Block<R>& block, float most) {
  return each<R>([=](auto x) TORQUANT_INLINED { return exp<R>(x - R::all(most)); }, block);
}

template <class R>
TORQUANT_INLINE void softmax_row(const float* x, float* y, size_t columns) {
  const float most = greatest_of<R>(x, columns);
  auto sums = all<R>(0);
  for_each_block<R>(columns, [&](size_t column, size_t count) TORQUANT_INLINED {
    const auto block = powers<R>(or_less<R>(x, column, count), most);
    sums = add<R>(sums, block);
    store<R>(y + column, block, count);
  });
  const float sum = sum_of<R>(sums), inverse = sum == 0 ? 0 : 1 / sum;
  for_each_block<R>(columns, [&](size_t column, size_t count) TORQUANT_INLINED {
    const auto block =
        each<R>([=](auto p) TORQUANT_INLINED { return p * R::all(inverse); }, load<R>(y + column, count));
    store<R>(y + column, block, count);
  });
}

template <class R>
TORQUANT_INLINE void log_softmax_row(const float* x, float* y, size_t columns) {
  const float most = greatest_of<R>(x, columns);
  auto sums = all<R>(0);
  for_each_block<R>(columns, [&](size_t column, size_t count) TORQUANT_INLINED {
    sums = add<R>(sums, powers<R>(or_less<R>(x, column, count), most));
  });
  const auto log_of_sum = log<R>(R::all(sum_of<R>(sums)));
  for_each_block<R>(columns, [&](size_t column, size_t count) TORQUANT_INLINED {
    const auto block = each<R>([=](auto each_x) TORQUANT_INLINED { return (each_x - R::all(most)) - log_of_sum; },
                               load<R>(x + column, count));
    store<R>(y + column, block, count);
  });
}

template <class R>
void softmax_rows(const SoftmaxRowsArgs& args) {
  for (size_t r = 0; r < args.rows; ++r) {
    const float* x = args.x + r * args.x_step;
    float* y = args.y + r * args.y_step;
    if (args.log) {
      log_softmax_row<R>(x, y, args.columns);
    } else {
      softmax_row<R>(x, y, args.columns);
    }
  }
}

}  // namespace torquant
