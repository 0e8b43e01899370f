#include "torquant/core/requantize.h"
#include "torquant/kernels/add/add_internal.h"

namespace torquant {

void add_u8_scalar(const AddArgs& args) {
  const Requantization how{.multiplier = args.a_multiplier, .offset = args.offset};
  for (size_t i = 0; i < args.count; ++i) {
    args.output[i] = requantize(args.a[i], how, args.b[i], args.b_multiplier, args.lo, args.hi);
  }
}

}  // namespace torquant
