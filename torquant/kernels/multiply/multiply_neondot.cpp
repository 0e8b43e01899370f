#include <arm_neon.h>

#include "torquant/kernels/multiply/multiply_internal.h"

namespace torquant {
namespace {

#include "torquant/kernels/neon.inc"

}  // namespace

// Products of codes less their zero points are below 2^17: float32 holds them exactly.
void multiply_u8_neondot(const MultiplyArgs& args) {
  const float32x4_t a_zero = vdupq_n_f32(static_cast<float>(args.a_zero_point));
  const float32x4_t b_zero = vdupq_n_f32(static_cast<float>(args.b_zero_point));
  const float32x4_t offset = vdupq_n_f32(args.offset);
  size_t i = 0;
  for (; i + 16 <= args.count; i += 16) {
    const float32x4x4_t a = to_floats(vld1q_u8(args.a + i)), b = to_floats(vld1q_u8(args.b + i));
    float32x4x4_t steps;
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      const float32x4_t product = vmulq_f32(vsubq_f32(a.val[j], a_zero), vsubq_f32(b.val[j], b_zero));
      steps.val[j] = vfmaq_n_f32(offset, product, args.multiplier);
    }
    vst1q_u8(args.output + i, to_codes(steps, args.lo, args.hi));
  }
  MultiplyArgs rest = args;
  rest.count -= i, rest.a += i, rest.b += i, rest.output += i;
  multiply_u8_scalar(rest);
}

}  // namespace torquant
