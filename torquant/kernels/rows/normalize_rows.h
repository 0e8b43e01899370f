#pragma once

#include "torquant/kernels/rows/row_blocks.h"
#include "torquant/kernels/rows/rows.h"

namespace torquant {

template <class R, bool kWeight, bool kBias>
TORQUANT_INLINE void scale_row(const NormalizeRowsArgs& args, const float* x, float* y, float mean, float factor) {
  for_each_block(args.columns, [&](size_t column, size_t count) TORQUANT_INLINED {
    Block<R> block = load<R>(x + column, count), weight, bias;
    if constexpr (kWeight) weight = load<R>(args.weight + column, count);
    if constexpr (kBias) bias = load<R>(args.bias + column, count);
#pragma GCC unroll 16
    for (size_t i = 0; i < kParts<R>; ++i) {
      auto& number = block.part[i];
      number = (number - R::all(mean)) * R::all(factor);
      if constexpr (kWeight && kBias) {
        number = R::fma(number, weight.part[i], bias.part[i]);
      } else if constexpr (kWeight) {
        number = number * weight.part[i];
      } else if constexpr (kBias) {
        number = number + bias.part[i];
      }
    }
    store<R>(y + column, block, count);
  });
}

template <class R>
void normalize_rows(const NormalizeRowsArgs& args) {
  const auto columns = static_cast<float>(args.columns);
  for (size_t r = 0; r < args.rows; ++r) {
    const float* x = args.x + r * args.x_step;
    float* y = args.y + r * args.y_step;
    auto sums = all<R>(0);
    if (args.residual != nullptr) {
      const float* residual = args.residual + r * args.residual_step;
      for_each_block(args.columns, [&](size_t column, size_t count) TORQUANT_INLINED {
        const auto block = add<R>(load<R>(x + column, count), load<R>(residual + column, count));
        store<R>(y + column, block, count);
        sums = add<R>(sums, block);
      });
      x = y;
    } else if (!args.rms) {
      for_each_block(args.columns, [&](size_t column, size_t count)
                                       TORQUANT_INLINED { sums = add<R>(sums, load<R>(x + column, count)); });
    }
    const float mean = args.rms ? 0 : sum_of<R>(sums) / columns;
    auto squares = all<R>(0);
    for_each_block(args.columns, [&](size_t column, size_t count) TORQUANT_INLINED {
      auto block = load<R>(x + column, count);
      block = each<R>([=](auto number) TORQUANT_INLINED { return number - R::all(mean); }, block);
      block = keep_first<R>(block, count, 0);
      squares =
          each<R>([](auto number, auto sum) TORQUANT_INLINED { return R::fma(number, number, sum); }, block, squares);
    });
    const float factor = 1.0f / __builtin_sqrtf(sum_of<R>(squares) / columns + args.epsilon);
    if (args.weight != nullptr && args.bias != nullptr) {
      scale_row<R, true, true>(args, x, y, mean, factor);
    } else if (args.weight != nullptr) {
      scale_row<R, true, false>(args, x, y, mean, factor);
    } else if (args.bias != nullptr) {
      scale_row<R, false, true>(args, x, y, mean, factor);
    } else {
      scale_row<R, false, false>(args, x, y, mean, factor);
    }
  }
}

}  // namespace torquant
