#include <immintrin.h>

#include "torquant/kernels/attention/pack_values.h"
#include "torquant/kernels/attention/quantize_tokens.h"
#include "torquant/kernels/attention/weigh_keys.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/avx2.inc"

struct AttentionLanes : Lanes {
  static TORQUANT_INLINE Ints to_exponents(Ints x) { return _mm256_slli_epi32(x, 23); }
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
