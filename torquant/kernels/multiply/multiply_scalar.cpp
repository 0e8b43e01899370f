#include "torquant/core/requantize.h"
#include "torquant/kernels/multiply/multiply_internal.h"

namespace torquant {

void multiply_u8_scalar(const MultiplyArgs& args) {
  const Requantization how{.multiplier = args.multiplier, .offset = args.offset};
  for (size_t i = 0; i < args.count; ++i) {
    const int32_t product = (args.a[i] - args.a_zero_point) * (args.b[i] - args.b_zero_point);
    args.output[i] = requantize(product, how, args.lo, args.hi);
  }
}

}  // namespace torquant
