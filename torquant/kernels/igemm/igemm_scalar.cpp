#include <cmath>

#include "torquant/core/requantize.h"
#include "torquant/kernels/igemm/igemm_internal.h"

namespace torquant {

// The reference: K1 to K3 and K9 as they are written.
void igemm_u8s8_scalar(const IgemmArgs& args) {
  const size_t quads = args.runs * args.run_quads;
  for (size_t m = 0; m < args.rows; ++m) {
    const uint8_t* row = args.input + args.input_offset[m];
    uint8_t* output = args.output + args.output_offset[m];
    for (size_t n = 0; n < args.columns; ++n) {
      const int8_t* weight = args.weights + n / 16 * quads * 64 + n % 16 * 4;
      int32_t accumulator = args.start[n];
      for (size_t r = 0; r < args.runs; ++r) {
        const uint8_t* x = row + args.run_offset[r];
        for (size_t q = 0; q < args.run_quads; ++q, x += 4, weight += 64) {
          for (size_t i = 0; i < 4; ++i) accumulator += x[i] * weight[i];
        }
      }
      const Requantization how{.multiplier = args.multiplier[n], .offset = args.offset[n]};
      if (args.row_scale != nullptr) {
        if (args.row_zero_point != nullptr) accumulator -= args.row_zero_point[m] * args.column_sum[n];
        reinterpret_cast<float*>(output)[n] =
            std::fma(static_cast<float>(accumulator) * how.multiplier, args.row_scale[m], how.offset);
      } else if (args.to_reals) {
        reinterpret_cast<float*>(output)[n] = std::fma(static_cast<float>(accumulator), how.multiplier, how.offset);
      } else if (args.residual == nullptr) {
        output[n] = requantize(accumulator, how, args.lo, args.hi);
      } else {
        const uint8_t residual = args.residual[args.residual_offset[m] + static_cast<int64_t>(n)];
        output[n] = requantize(accumulator, how, residual, args.residual_multiplier, args.lo, args.hi);
      }
    }
  }
}

}  // namespace torquant
