#pragma once

#include "torquant/kernels/rows/row_blocks.h"
#include "torquant/kernels/rows/rows.h"

namespace torquant {

template <class R>
void rotate_rows(const RotateRowsArgs& args) {
  const size_t half = args.size / 2;
  for (size_t row = 0; row < args.rows; ++row) {
    const float *cos = args.cos + row * args.size, *sin = args.sin + row * args.size;
    for (size_t head = 0; head < args.heads; ++head) {
      const float* x = args.x + row * args.x_step + head * args.size;
      float* y = args.y + row * args.y_step + head * args.size;
      for_each_block<R>(half, [&](size_t c, size_t count) TORQUANT_INLINED {
        const Block<R> a = load<R>(x + c, count), b = load<R>(x + half + c, count);
        const auto less = [](auto p, auto cos_p, auto q, auto sin_q) TORQUANT_INLINED { return p * cos_p - q * sin_q; };
        const auto more = [](auto p, auto cos_p, auto q, auto sin_q) TORQUANT_INLINED { return p * cos_p + q * sin_q; };
        store<R>(y + c, each<R>(less, a, load<R>(cos + c, count), b, load<R>(sin + c, count)), count);
        store<R>(y + half + c, each<R>(more, b, load<R>(cos + half + c, count), a, load<R>(sin + half + c, count)),
                 count);
      });
    }
  }
}

}  // namespace torquant
