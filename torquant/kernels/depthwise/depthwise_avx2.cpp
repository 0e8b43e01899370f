#include <immintrin.h>

#include "torquant/kernels/depthwise/depthwise_internal.h"
#include "torquant/kernels/depthwise/quad_kernel.h"

#define TORQUANT_INLINE inline __attribute__((always_inline))

namespace torquant {
namespace {

// Without VNNI, and as vpmaddubsw saturates, a quad is multiplied in 16 bits: by vpmaddwd its codes 0 and 2, then 1 and
// 3, which mask and shift widen where they lie.
struct Ymm {
  using Codes = __m256i;
  struct Factors {
    __m256i even, odd;
  };
  static constexpr size_t kBytes = 32, kLanes = 8, kWeightBytes = 64, kSegments = 1, kChannels = 32;
  static constexpr size_t kTileOutputs = 4;  // 8 sums and 4 vectors of words, of 16 registers

  static TORQUANT_INLINE __m256i zero() { return _mm256_setzero_si256(); }
  static TORQUANT_INLINE __m256i load(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
  static TORQUANT_INLINE __m256i load_codes(const uint8_t* from) { return load(from); }
  static TORQUANT_INLINE void store(void* to, __m256i codes) { _mm256_store_si256(static_cast<__m256i*>(to), codes); }
  static TORQUANT_INLINE void store_unaligned(void* to, __m256i codes) {
    _mm256_storeu_si256(static_cast<__m256i*>(to), codes);
  }
  static TORQUANT_INLINE __m256i zip_low8(__m256i a, __m256i b) { return _mm256_unpacklo_epi8(a, b); }
  static TORQUANT_INLINE __m256i zip_high8(__m256i a, __m256i b) { return _mm256_unpackhi_epi8(a, b); }
  static TORQUANT_INLINE __m256i zip_low16(__m256i a, __m256i b) { return _mm256_unpacklo_epi16(a, b); }
  static TORQUANT_INLINE __m256i zip_high16(__m256i a, __m256i b) { return _mm256_unpackhi_epi16(a, b); }

  static TORQUANT_INLINE __m256 load_floats(const float* from) { return _mm256_load_ps(from); }
  static TORQUANT_INLINE __m256 broadcast(float value) { return _mm256_set1_ps(value); }
  static TORQUANT_INLINE __m256 multiply_add(__m256i integers, __m256 by, __m256 to) {
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), by, to);
  }
  static TORQUANT_INLINE __m256i round(__m256 steps) { return _mm256_cvtps_epi32(steps); }
  static TORQUANT_INLINE __m256i steps_to_words(__m256i a, __m256i b) { return _mm256_packs_epi32(a, b); }
  static TORQUANT_INLINE __m256i words_to_codes(__m256i a, __m256i b) { return _mm256_packus_epi16(a, b); }
  static TORQUANT_INLINE __m256i clamp(__m256i codes, uint8_t lo, uint8_t hi) {
    return _mm256_min_epu8(_mm256_max_epu8(codes, _mm256_set1_epi8(static_cast<char>(lo))),
                           _mm256_set1_epi8(static_cast<char>(hi)));
  }

  static TORQUANT_INLINE __m256i load_first(const void* from, size_t count) {
    if (count == 32) return load(from);
    alignas(32) uint8_t codes[32] = {};
    __builtin_memcpy(codes, from, count);
    return load(codes);
  }
  static TORQUANT_INLINE void store_first(void* to, __m256i codes, size_t count) {
    alignas(32) uint8_t all[32];
    store(all, codes);
    __builtin_memcpy(to, all, count);
  }
  static TORQUANT_INLINE void store_weights(uint8_t* to, __m256i quads) {
    store(to, _mm256_srai_epi16(_mm256_slli_epi16(quads, 8), 8));
    store(to + 32, _mm256_srai_epi16(quads, 8));
  }
  static TORQUANT_INLINE Factors factors(__m256i quads) {
    return {_mm256_and_si256(quads, _mm256_set1_epi16(255)), _mm256_srli_epi16(quads, 8)};
  }
  static TORQUANT_INLINE __m256i dot(__m256i acc, Factors quads, const uint8_t* weights) {
    const __m256i even = _mm256_madd_epi16(quads.even, load(weights));
    const __m256i odd = _mm256_madd_epi16(quads.odd, load(weights + 32));
    return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
  }
};

}  // namespace

void depthwise_u8s8_avx2(const DepthwiseArgs& args) {
  const QuadPlan plan = plan_quads(args);
  list_taps(args, plan, reinterpret_cast<ptrdiff_t*>(args.scratch + plan.taps));
  for (size_t channel = 0; channel < args.channels; channel += Ymm::kBytes) run_block<Ymm>(args, plan, channel);
}

}  // namespace torquant
