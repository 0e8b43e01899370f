#include <immintrin.h>

#include "torquant/kernels/depthwise/depthwise_internal.h"
#include "torquant/kernels/depthwise/quad_kernel.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 says so of its own intrinsics (gcc.gnu.org/PR105593)
#endif

#define TORQUANT_INLINE inline __attribute__((always_inline))

namespace torquant {
namespace {

#include "torquant/kernels/depthwise/ymm.inc"

struct Zmm {
  using Codes = __m512i;
  static constexpr size_t kBytes = 64, kLanes = 16, kWeightBytes = 64;
  static constexpr size_t kTileOutputs = 8;  // 16 sums of half of the channels, 8 vectors of words of the others

  static TORQUANT_INLINE __m512i zero() { return _mm512_setzero_si512(); }
  static TORQUANT_INLINE __m512i load(const void* from) { return _mm512_loadu_si512(from); }
  static TORQUANT_INLINE __m512i load_first(const void* from, size_t count) {
    return _mm512_maskz_loadu_epi8(first(count), from);
  }
  static TORQUANT_INLINE void store(void* to, __m512i codes) { _mm512_store_si512(to, codes); }
  static TORQUANT_INLINE void store_unaligned(void* to, __m512i codes) { _mm512_storeu_si512(to, codes); }
  static TORQUANT_INLINE void store_first(void* to, __m512i codes, size_t count) {
    _mm512_mask_storeu_epi8(to, first(count), codes);
  }
  static TORQUANT_INLINE __m512i zip_low8(__m512i a, __m512i b) { return _mm512_unpacklo_epi8(a, b); }
  static TORQUANT_INLINE __m512i zip_high8(__m512i a, __m512i b) { return _mm512_unpackhi_epi8(a, b); }
  static TORQUANT_INLINE __m512i zip_low16(__m512i a, __m512i b) { return _mm512_unpacklo_epi16(a, b); }
  static TORQUANT_INLINE __m512i zip_high16(__m512i a, __m512i b) { return _mm512_unpackhi_epi16(a, b); }

  static TORQUANT_INLINE void store_weights(void* to, __m512i quads) { store(to, quads); }
  static TORQUANT_INLINE __m512i factors(__m512i quads) { return quads; }
  static TORQUANT_INLINE __m512i dot(__m512i acc, __m512i quads, const void* weights) {
#if defined(__clang__)
    return _mm512_dpbusd_epi32(acc, quads, _mm512_load_si512(weights));
#else
    __asm__("vpdpbusd %2, %1, %0"
            : "+v"(acc)
            : "v"(quads), "v"(_mm512_load_si512(weights)));  // g++ 12 spills sums around the intrinsic
    return acc;
#endif
  }

  static TORQUANT_INLINE __m512 load_floats(const float* from) { return _mm512_load_ps(from); }
  static TORQUANT_INLINE __m512 broadcast(float value) { return _mm512_set1_ps(value); }
  static TORQUANT_INLINE __m512 multiply_add(__m512i integers, __m512 by, __m512 to) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(integers), by, to);
  }
  static TORQUANT_INLINE __m512i round(__m512 steps) { return _mm512_cvtps_epi32(steps); }
  static TORQUANT_INLINE __m512i steps_to_words(__m512i a, __m512i b) { return _mm512_packs_epi32(a, b); }
  static TORQUANT_INLINE __m512i words_to_codes(__m512i a, __m512i b) { return _mm512_packus_epi16(a, b); }
  static TORQUANT_INLINE __m512i clamp(__m512i codes, uint8_t lo, uint8_t hi) {
    return _mm512_min_epu8(_mm512_max_epu8(codes, _mm512_set1_epi8(static_cast<char>(lo))),
                           _mm512_set1_epi8(static_cast<char>(hi)));
  }

 private:
  static TORQUANT_INLINE __mmask64 first(size_t count) { return ~__mmask64{0} >> (64 - count); }
};

struct Ymm : YmmLanes {
  static constexpr size_t kWeightBytes = 32, kTileOutputs = 8;

  static TORQUANT_INLINE __m256i load_first(const void* from, size_t count) {
    return _mm256_maskz_loadu_epi8(first(count), from);
  }
  static TORQUANT_INLINE void store_first(void* to, __m256i codes, size_t count) {
    _mm256_mask_storeu_epi8(to, first(count), codes);
  }
  static TORQUANT_INLINE void store_weights(void* to, __m256i quads) { store(to, quads); }
  static TORQUANT_INLINE __m256i factors(__m256i quads) { return quads; }
  static TORQUANT_INLINE __m256i dot(__m256i acc, __m256i quads, const void* weights) {
#if defined(__clang__)
    return _mm256_dpbusd_epi32(acc, quads, load(weights));
#else
    __asm__("vpdpbusd %2, %1, %0"
            : "+v"(acc)
            : "v"(quads), "v"(load(weights)));  // g++ 12 spills sums around the intrinsic
    return acc;
#endif
  }

 private:
  static TORQUANT_INLINE __mmask32 first(size_t count) { return ~__mmask32{0} >> (32 - count); }
};

}  // namespace

void depthwise_u8s8_avx512vnni(const DepthwiseArgs& args) {
  const QuadPlan plan = plan_quads(args);
  list_taps(args, plan, reinterpret_cast<ptrdiff_t*>(args.scratch + plan.taps));
  // 64 channels at a time; of the rest, 32 or fewer take half the lanes.
  for (size_t channel = 0; channel < args.channels;) {
    if (args.channels - channel > 32) {
      run_block<Zmm>(args, plan, channel);
      channel += 64;
    } else {
      run_block<Ymm>(args, plan, channel);
      channel += 32;
    }
  }
}

}  // namespace torquant
