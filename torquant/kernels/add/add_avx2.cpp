#include <immintrin.h>

#include "torquant/kernels/add/add_internal.h"

namespace torquant {
namespace {

inline __attribute__((always_inline)) __m256 numbers(__m128i codes) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes));
}

}  // namespace

void add_u8_avx2(const AddArgs& args) {
  const __m256 a_multiplier = _mm256_set1_ps(args.a_multiplier), b_multiplier = _mm256_set1_ps(args.b_multiplier);
  const __m256 offset = _mm256_set1_ps(args.offset);
  const __m128i lo = _mm_set1_epi8(static_cast<char>(args.lo)), hi = _mm_set1_epi8(static_cast<char>(args.hi));
  size_t i = 0;
  for (; i + 16 <= args.count; i += 16) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(args.a + i));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(args.b + i));
    const __m256 rest0 = _mm256_fmadd_ps(numbers(b), b_multiplier, offset);
    const __m256 rest1 = _mm256_fmadd_ps(numbers(_mm_srli_si128(b, 8)), b_multiplier, offset);
    const __m256i steps0 = _mm256_cvtps_epi32(_mm256_fmadd_ps(numbers(a), a_multiplier, rest0));
    const __m256i steps1 = _mm256_cvtps_epi32(_mm256_fmadd_ps(numbers(_mm_srli_si128(a, 8)), a_multiplier, rest1));
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(steps0, steps1), 0xD8);
    const __m128i codes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(args.output + i), _mm_min_epu8(_mm_max_epu8(codes, lo), hi));
  }
  AddArgs rest = args;
  rest.count -= i, rest.a += i, rest.b += i, rest.output += i;
  add_u8_scalar(rest);
}

}  // namespace torquant
