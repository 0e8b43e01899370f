#include <immintrin.h>

#include "torquant/kernels/depthwise/depthwise_internal.h"
#include "torquant/kernels/depthwise/quad_kernel.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 says so of its own intrinsics (gcc.gnu.org/PR105593)
#endif

#define TORQUANT_INLINE inline __attribute__((always_inline))

namespace torquant {
namespace {

struct Zmm {
  using Codes = __m512i;
  static constexpr size_t kBytes = 64, kLanes = 16, kWeightBytes = 64, kSegments = 1, kChannels = 64;
  static constexpr size_t kTileOutputs = 8;  // 16 sums of half of the channels, 8 vectors of words of the others

  static TORQUANT_INLINE __m512i zero() { return _mm512_setzero_si512(); }
  static TORQUANT_INLINE __m512i load(const void* from) { return _mm512_loadu_si512(from); }
  static TORQUANT_INLINE __m512i load_codes(const uint8_t* from) { return load(from); }
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

// 32 channels of two segments. They have no residual: load_first is of weights alone.
struct Halves : Zmm {
  static constexpr size_t kSegments = 2, kChannels = 32;

  static TORQUANT_INLINE __m512i load_segments(const uint8_t* from, const size_t (&at)[4]) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(codes_at(from + at[0]))),
                              _mm256_loadu_si256(codes_at(from + at[1])), 1);
  }
  static TORQUANT_INLINE void store_segments(uint8_t* to, const size_t (&at)[4], __m512i codes, size_t count) {
    const __m256i segments[2] = {_mm512_castsi512_si256(codes), _mm512_extracti64x4_epi64(codes, 1)};
#pragma GCC unroll 2
    for (size_t i = 0; i < 2; ++i) {
      if (count == kChannels) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + at[i]), segments[i]);
      } else {
        _mm256_mask_storeu_epi8(to + at[i], ~__mmask32{0} >> (32 - count), segments[i]);
      }
    }
  }
  static TORQUANT_INLINE __m512i load_first(const void* from, size_t count) {
    return _mm512_broadcast_i64x4(_mm512_castsi512_si256(Zmm::load_first(from, count)));
  }

 private:
  static TORQUANT_INLINE const __m256i* codes_at(const uint8_t* from) { return reinterpret_cast<const __m256i*>(from); }
};

// 16 channels of four segments.
struct Quarters : Zmm {
  static constexpr size_t kSegments = 4, kChannels = 16;

  static TORQUANT_INLINE __m512i load_segments(const uint8_t* from, const size_t (&at)[4]) {
    __m512i codes = _mm512_castsi128_si512(_mm_loadu_si128(codes_at(from + at[0])));
    codes = _mm512_inserti32x4(codes, _mm_loadu_si128(codes_at(from + at[1])), 1);
    codes = _mm512_inserti32x4(codes, _mm_loadu_si128(codes_at(from + at[2])), 2);
    return _mm512_inserti32x4(codes, _mm_loadu_si128(codes_at(from + at[3])), 3);
  }
  static TORQUANT_INLINE void store_segments(uint8_t* to, const size_t (&at)[4], __m512i codes, size_t count) {
    const __m128i segments[4] = {_mm512_castsi512_si128(codes), _mm512_extracti32x4_epi32(codes, 1),
                                 _mm512_extracti32x4_epi32(codes, 2), _mm512_extracti32x4_epi32(codes, 3)};
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      if (count == kChannels) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at[i]), segments[i]);
      } else {
        _mm_mask_storeu_epi8(to + at[i], static_cast<__mmask16>(0xFFFF >> (16 - count)), segments[i]);
      }
    }
  }
  static TORQUANT_INLINE __m512i load_first(const void* from, size_t count) {
    return _mm512_broadcast_i32x4(_mm512_castsi512_si128(Zmm::load_first(from, count)));
  }

 private:
  static TORQUANT_INLINE const __m128i* codes_at(const uint8_t* from) { return reinterpret_cast<const __m128i*>(from); }
};

// The image in segments of equal width, the last ones as far left as they must.
template <class Vec>
void run_segments(DepthwiseArgs args, const QuadPlan& plan, size_t channel) {
  const size_t width = args.output_width, step = Vec::kSegments * plan.outputs;
  args.output_width = (width + step - 1) / step * plan.outputs;
  Segments segments{};
  for (size_t i = 0; i < Vec::kSegments; ++i) {
    const size_t at = i * args.output_width, last = width - args.output_width, x = at < last ? at : last;
    segments.input[i] = x * args.stride_width * args.input_pixel_step;
    segments.output[i] = x * args.output_pixel_step;
  }
  run_block<Vec>(args, plan, channel, segments);
}

}  // namespace

void depthwise_u8s8_avx512vnni(const DepthwiseArgs& args) {
  const QuadPlan plan = plan_quads(args);
  list_taps(args, plan, reinterpret_cast<ptrdiff_t*>(args.scratch + plan.taps));
  // Where segments overlap, a sum would be added to again.
  const bool in_segments = plan.shape != QuadShape::kGathered && args.residual == nullptr && args.output_width >= 4;
  for (size_t channel = 0; channel < args.channels; channel += 64) {
    const size_t left = args.channels - channel;
    if (in_segments && left <= 16) {
      run_segments<Quarters>(args, plan, channel);
    } else if (in_segments && left <= 32) {
      run_segments<Halves>(args, plan, channel);
    } else {
      run_block<Zmm>(args, plan, channel);
    }
  }
}

}  // namespace torquant
