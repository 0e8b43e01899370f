#include <arm_neon.h>

#include "torquant/kernels/image/image_internal.h"

// Images of three channels, as photographs are: eight pixels at a time, which one store interleaves. Others are rare at
// the border of a network and go the scalar way.

namespace torquant {
namespace {

struct Grid {
  float inverse_scale;
  float32x4_t lo, hi;
  int32x4_t zero_point;
};

inline __attribute__((always_inline)) int16x4_t four_codes(const float* numbers, const Grid& grid) {
  // Of NaN and a number vmaxnm gives the number: lo.
  const float32x4_t steps = vmaxnmq_f32(vmulq_n_f32(vld1q_f32(numbers), grid.inverse_scale), grid.lo);
  return vmovn_s32(vaddq_s32(vcvtnq_s32_f32(vminnmq_f32(steps, grid.hi)), grid.zero_point));
}

inline __attribute__((always_inline)) uint8x8_t eight_codes(const float* numbers, const Grid& grid) {
  return vqmovun_s16(vcombine_s16(four_codes(numbers, grid), four_codes(numbers + 4, grid)));
}

}  // namespace

void quantize_image_neondot(const ImageArgs& args) {
  if (args.channels != 3 || args.pixel_bytes != 3 || args.width < 8) return quantize_image_scalar(args);
  const Grid grid{.inverse_scale = args.inverse_scale,
                  .lo = vdupq_n_f32(static_cast<float>(args.lo - args.zero_point)),
                  .hi = vdupq_n_f32(static_cast<float>(args.hi - args.zero_point)),
                  .zero_point = vdupq_n_s32(args.zero_point)};
  const size_t plane = args.channel_step;
  for (size_t y = 0; y < args.height; ++y) {
    const float* numbers = args.numbers + y * args.width;
    uint8_t* codes = args.codes + y * args.row_bytes;
    for (size_t block = 0; block < args.width; block += 8) {
      const size_t x = block + 8 <= args.width ? block : args.width - 8;  // the last one may overlap
      const uint8x8x3_t pixels{{eight_codes(numbers + x, grid), eight_codes(numbers + plane + x, grid),
                                eight_codes(numbers + 2 * plane + x, grid)}};
      vst3_u8(codes + x * 3, pixels);
    }
  }
}

void dequantize_image_neondot(const ImageArgs& args) { dequantize_image_scalar(args); }

}  // namespace torquant
