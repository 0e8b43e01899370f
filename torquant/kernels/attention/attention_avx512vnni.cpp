#include <immintrin.h>

#include "torquant/kernels/attention/pack_values.h"
#include "torquant/kernels/attention/quantize_tokens.h"
#include "torquant/kernels/attention/weigh_keys.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 says so of its own intrinsics (gcc.gnu.org/PR105593)
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace torquant {
namespace {

#include "torquant/kernels/lanes/avx512.inc"

struct AttentionLanes : Lanes {
  // t - floor t.
  static TORQUANT_INLINE Floats fraction(Floats t) {
    return _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  // x * 2^(floor t), of x from 1/2 to 1024 and t from -20 to 0.
  static TORQUANT_INLINE Floats times_power_of_floor(Floats x, Floats t) { return _mm512_scalef_ps(x, t); }
  // The lowest 8 bits of sixteen numbers.
  static TORQUANT_INLINE void store_lowest_bytes(uint8_t* to, const Ints (&x)[16 / kLanes]) {
    __m128i codes = _mm512_cvtepi32_epi8(x[0]);
    __asm__("" : "+v"(codes));  // in a register first: the instruction that also stores takes Zen 4 several cycles
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), codes);
  }
};

}  // namespace

void quantize_tokens_avx512vnni(const QuantizeTokensArgs& args) { quantize_tokens<AttentionLanes>(args); }
void pack_values_avx512vnni(const PackValuesArgs& args) { pack_values<AttentionLanes>(args); }
void weigh_keys_avx512vnni(const WeighKeysArgs& args) { weigh_keys<AttentionLanes>(args); }

}  // namespace torquant
