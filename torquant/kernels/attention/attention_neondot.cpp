#include <arm_neon.h>

#include "torquant/kernels/attention/pack_values.h"
#include "torquant/kernels/attention/quantize_tokens.h"
#include "torquant/kernels/attention/weigh_keys.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/neon.inc"

struct AttentionLanes : Lanes {
  // t - floor t.
  static TORQUANT_INLINE Floats fraction(Floats t) { return t - vrndmq_f32(t); }
  // x * 2^(floor t), of x from 1/2 to 1024 and t from -20 to 0.
  static TORQUANT_INLINE Floats times_power_of_floor(Floats x, Floats t) {
    return from_bits(vaddq_s32(bits(x), vshlq_n_s32(vcvtmq_s32_f32(t), 23)));
  }
  // The lowest 8 bits of sixteen numbers.
  static TORQUANT_INLINE void store_lowest_bytes(uint8_t* to, const Ints (&x)[16 / kLanes]) {
    const uint16x8_t low = vreinterpretq_u16_s16(vuzp1q_s16(vreinterpretq_s16_s32(x[0]), vreinterpretq_s16_s32(x[1])));
    const uint16x8_t high = vreinterpretq_u16_s16(vuzp1q_s16(vreinterpretq_s16_s32(x[2]), vreinterpretq_s16_s32(x[3])));
    vst1q_u8(to, vuzp1q_u8(vreinterpretq_u8_u16(low), vreinterpretq_u8_u16(high)));
  }
};

}  // namespace

void quantize_tokens_neondot(const QuantizeTokensArgs& args) { quantize_tokens<AttentionLanes>(args); }
void pack_values_neondot(const PackValuesArgs& args) { pack_values<AttentionLanes>(args); }
void weigh_keys_neondot(const WeighKeysArgs& args) { weigh_keys<AttentionLanes>(args); }

}  // namespace torquant
