#include <arm_neon.h>

#include "torquant/kernels/attention/pack_values.h"
#include "torquant/kernels/attention/quantize_tokens.h"
#include "torquant/kernels/attention/weigh_keys.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/neon.inc"

struct AttentionLanes : Lanes {
  static TORQUANT_INLINE Ints to_exponents(Ints x) { return vshlq_n_s32(x, 23); }
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
