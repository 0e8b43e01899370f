#include <arm_neon.h>

#include "torquant/kernels/pool/pool_internal.h"

namespace torquant {
namespace {

#include "torquant/kernels/neon.inc"

// Where 16 channels begin, of `channels`, the block at `block`: the last one may overlap the one before.
TORQUANT_INLINE size_t first_channel(size_t block, size_t channels) {
  return block + 16 <= channels ? block : channels - 16;
}

}  // namespace

void max_pool_neondot(const MaxPoolArgs& args) {
  if (args.channels < 16) return max_pool_scalar(args);
  for (size_t y = args.out_begin; y < args.out_end; ++y) {
    for (size_t x = 0; x < args.out_width; ++x) {
      uint8_t* output = args.output + y * args.out_row_bytes + x * args.out_pixel_bytes;
      for (size_t block = 0; block < args.channels; block += 16) {
        const size_t c = first_channel(block, args.channels);
        uint8x16_t most = vdupq_n_u8(0);
        for (size_t i = 0; i < args.kernel_height; ++i) {
          // Rows above the image wrap around to large numbers.
          const size_t row = y * args.stride_height + i * args.dilation_height - args.padding_height;
          for (size_t j = 0; row < args.in_height && j < args.kernel_width; ++j) {
            const size_t column = x * args.stride_width + j * args.dilation_width - args.padding_width;
            if (column >= args.in_width) continue;
            const uint8_t* codes = args.input + row * args.in_row_bytes + column * args.in_pixel_bytes + c;
            most = vmaxq_u8(most, vld1q_u8(codes));
          }
        }
        vst1q_u8(output + c, most);
      }
    }
  }
}

void global_average_pool_neondot(const GlobalAveragePoolArgs& args) {
  if (args.channels < 16) return global_average_pool_scalar(args);
  for (size_t block = 0; block < args.channels; block += 16) {
    const size_t c = first_channel(block, args.channels);
    int32x4_t sum[4];
    for (int32x4_t& four : sum) four = vdupq_n_s32(args.start);
    for (size_t row = 0; row < args.planes * args.height; ++row) {
      const size_t z = row / args.height, y = row % args.height;
      const uint8_t* code = args.input + z * args.plane_bytes + y * args.row_bytes + c;
      for (size_t x = 0; x < args.width; ++x, code += args.pixel_bytes) {
        const uint8x16_t codes = vld1q_u8(code);
        const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes)));
        const int16x8_t high = vreinterpretq_s16_u16(vmovl_high_u8(codes));
        sum[0] = vaddw_s16(sum[0], vget_low_s16(low)), sum[1] = vaddw_high_s16(sum[1], low);
        sum[2] = vaddw_s16(sum[2], vget_low_s16(high)), sum[3] = vaddw_high_s16(sum[3], high);
      }
    }
    float32x4x4_t steps;
    for (size_t j = 0; j < 4; ++j) {
      steps.val[j] = vfmaq_n_f32(vdupq_n_f32(args.offset), vcvtq_f32_s32(sum[j]), args.multiplier);
    }
    vst1q_u8(args.output + c, to_codes(steps, args.lo, args.hi));
  }
}

}  // namespace torquant
