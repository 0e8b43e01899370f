#pragma once

#include "torquant/kernels/attention/attention_kernels.h"
#include "torquant/kernels/attention/symmetric_grids.h"

namespace torquant {

template <class R>
TORQUANT_INLINE float greatest_of_row(const float* x, size_t columns) {
  Block<R> most = all<R>(0);
  for_each_block<R>(columns, [&](size_t column, size_t count)
                                 TORQUANT_INLINED { most = greater_magnitude<R>(load<R>(x + column, count), most); });
  return greatest_of<R>(most);
}

// Rows are short: the grids of many are chosen at once, so that none waits for its own.
template <class R>
void quantize_tokens(const QuantizeTokensArgs& args) {
  constexpr size_t kRows = 64;
  float most[kRows], inv_scale[kRows];
  for (size_t begin = 0; begin < args.rows; begin += kRows) {
    const size_t rows = args.rows - begin < kRows ? args.rows - begin : kRows;
    for (size_t i = 0; i < rows; ++i) most[i] = greatest_of_row<R>(args.x + (begin + i) * args.x_step, args.columns);
    for_each_block<R>(rows, [&](size_t i, size_t count) TORQUANT_INLINED {
      const SymmetricGrids<R> grids(load<R>(most + i, count));
      store<R>(args.scale + begin + i, grids.scale, count);
      store<R>(inv_scale + i, grids.inv_scale, 16);
    });
    for (size_t i = 0; i < rows; ++i) {
      const float* x = args.x + (begin + i) * args.x_step;
      uint8_t* codes = args.codes + (begin + i) * args.codes_step;
      const Block<R> by = all<R>(inv_scale[i]);
      for_each_block<R>(args.columns, [&](size_t column, size_t count) TORQUANT_INLINED {
        store_symmetric_codes<R>(load<R>(x + column, count), by, codes + column);
      });
    }
  }
}

}  // namespace torquant
