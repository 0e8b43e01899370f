#include <arm_neon.h>

#include "torquant/kernels/add/add_internal.h"

namespace torquant {
namespace {

#include "torquant/kernels/neon.inc"

}  // namespace

void add_u8_neondot(const AddArgs& args) {
  const float32x4_t offset = vdupq_n_f32(args.offset);
  size_t i = 0;
  for (; i + 16 <= args.count; i += 16) {
    const float32x4x4_t a = to_floats(vld1q_u8(args.a + i)), b = to_floats(vld1q_u8(args.b + i));
    float32x4x4_t steps;
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      const float32x4_t rest = vfmaq_n_f32(offset, b.val[j], args.b_multiplier);
      steps.val[j] = vfmaq_n_f32(rest, a.val[j], args.a_multiplier);
    }
    vst1q_u8(args.output + i, to_codes(steps, args.lo, args.hi));
  }
  AddArgs rest = args;
  rest.count -= i, rest.a += i, rest.b += i, rest.output += i;
  add_u8_scalar(rest);
}

}  // namespace torquant
