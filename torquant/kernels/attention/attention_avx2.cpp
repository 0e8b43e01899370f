#include <immintrin.h>

#include "torquant/kernels/attention/pack_values.h"
#include "torquant/kernels/attention/quantize_tokens.h"
#include "torquant/kernels/attention/weigh_keys.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/avx2.inc"

struct AttentionLanes : Lanes {
  // t - floor t.
  static TORQUANT_INLINE Floats fraction(Floats t) { return t - _mm256_floor_ps(t); }
  // x * 2^(floor t), of x from 1/2 to 1024 and t from -20 to 0.
  static TORQUANT_INLINE Floats times_power_of_floor(Floats x, Floats t) {
    return from_bits(_mm256_add_epi32(bits(x), _mm256_slli_epi32(_mm256_cvtps_epi32(_mm256_floor_ps(t)), 23)));
  }
  // The lowest 8 bits of sixteen numbers.
  static TORQUANT_INLINE void store_lowest_bytes(uint8_t* to, const Ints (&x)[16 / kLanes]) {
    const Ints mask = _mm256_set1_epi32(0xff);
    store_codes(to, {_mm256_and_si256(x[0], mask), _mm256_and_si256(x[1], mask)});
  }
};

}  // namespace

void quantize_tokens_avx2(const QuantizeTokensArgs& args) { quantize_tokens<AttentionLanes>(args); }
void pack_values_avx2(const PackValuesArgs& args) { pack_values<AttentionLanes>(args); }
void weigh_keys_avx2(const WeighKeysArgs& args) { weigh_keys<AttentionLanes>(args); }

}  // namespace torquant
