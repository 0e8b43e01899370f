#pragma once

#include "torquant/kernels/rows/row_blocks.h"
#include "torquant/kernels/rows/rows.h"

namespace torquant {

template <class R, bool kWeight, bool kBias>
TORQUANT_INLINE void scale_row(const NormalizeRowsArgs& args, const float* x, float* y, float mean, float factor) {
  const size_t columns = args.columns;
  const float *weights = args.weight, *biases = args.bias;
  for_each_block<R>(columns, [&](size_t column, size_t count) TORQUANT_INLINED {
    Block<R> block = load<R>(x + column, count), weight, bias;
    if constexpr (kWeight) weight = load<R>(weights + column, count);
    if constexpr (kBias) bias = load<R>(biases + column, count);
    for_each_part<R>([&](size_t i) TORQUANT_INLINED {
      auto& number = block.part[i];
      number = (number - R::all(mean)) * R::all(factor);
      if constexpr (kWeight && kBias) {
        number = R::fma(number, weight.part[i], bias.part[i]);
      } else if constexpr (kWeight) {
        number = number * weight.part[i];
      } else if constexpr (kBias) {
        number = number + bias.part[i];
      }
    });
    store<R>(y + column, block, count);
  });
}

// t of a row, in `t` where it is a sum, and its mean.
template <class R>
TORQUANT_INLINE float mean_of(const float* x, const float* residual, float* t, size_t columns) {
  Sums<R> sums;
  for_each_summand<R>(columns, [&](size_t column, size_t count, size_t which) TORQUANT_INLINED {
    auto block = load<R>(x + column, count);
    if (residual != nullptr) {
      block = add<R>(block, load<R>(residual + column, count));
      store<R>(t + column, block, count);
    }
    sums.of[which] = add<R>(sums.of[which], block);
  });
  return sums.total() / static_cast<float>(columns);
}

template <class R>
TORQUANT_INLINE float mean_square_of(const float* t, size_t columns, float mean) {
  Sums<R> sums;
  for_each_summand<R>(columns, [&](size_t column, size_t count, size_t which) TORQUANT_INLINED {
    auto block = load<R>(t + column, count);
    block = each<R>([=](auto number) TORQUANT_INLINED { return number - R::all(mean); }, block);
    block = keep_first<R>(block, count, 0);
    sums.of[which] = each<R>([](auto number, auto sum) TORQUANT_INLINED { return R::fma(number, number, sum); }, block,
                             sums.of[which]);
  });
  return sums.total() / static_cast<float>(columns);
}

template <class R>
void normalize_rows(const NormalizeRowsArgs& args) {
  for (size_t r = 0; r < args.rows; ++r) {
    const float* x = args.x + r * args.x_step;
    const float* residual = args.residual == nullptr ? nullptr : args.residual + r * args.residual_step;
    float* y = args.y + r * args.y_step;
    float mean = 0;
    if (residual != nullptr || !args.rms) mean = mean_of<R>(x, residual, y, args.columns);
    if (args.rms) mean = 0;
    const float* t = residual == nullptr ? x : y;
    const float factor = 1.0f / __builtin_sqrtf(mean_square_of<R>(t, args.columns, mean) + args.epsilon);
    if (args.weight != nullptr && args.bias != nullptr) {
      scale_row<R, true, true>(args, t, y, mean, factor);
    } else if (args.weight != nullptr) {
      scale_row<R, true, false>(args, t, y, mean, factor);
    } else if (args.bias != nullptr) {
      scale_row<R, false, true>(args, t, y, mean, factor);
    } else {
      scale_row<R, false, false>(args, t, y, mean, factor);
    }
  }
}

}  // namespace torquant
