#include <immintrin.h>

#include "torquant/kernels/multiply/multiply_internal.h"

namespace torquant {
namespace {

// Eight codes less their zero point.
inline __attribute__((always_inline)) __m256i steps(__m128i codes, __m256i zero_point) {
  return _mm256_sub_epi32(_mm256_cvtepu8_epi32(codes), zero_point);
}

struct Scale {
  __m256 multiplier, offset;
};

inline __attribute__((always_inline)) __m256i requantized(__m256i a, __m256i b, const Scale& scale) {
  const __m256 product = _mm256_cvtepi32_ps(_mm256_mullo_epi32(a, b));
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(product, scale.multiplier, scale.offset));
}

}  // namespace

void multiply_u8_avx2(const MultiplyArgs& args) {
  const __m256i a_zero = _mm256_set1_epi32(args.a_zero_point), b_zero = _mm256_set1_epi32(args.b_zero_point);
  const Scale scale{_mm256_set1_ps(args.multiplier), _mm256_set1_ps(args.offset)};
  const __m128i lo = _mm_set1_epi8(static_cast<char>(args.lo)), hi = _mm_set1_epi8(static_cast<char>(args.hi));
  size_t i = 0;
  for (; i + 16 <= args.count; i += 16) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(args.a + i));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(args.b + i));
    const __m256i low = requantized(steps(a, a_zero), steps(b, b_zero), scale);
    const __m256i high = requantized(steps(_mm_srli_si128(a, 8), a_zero), steps(_mm_srli_si128(b, 8), b_zero), scale);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xD8);
    const __m128i codes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(args.output + i), _mm_min_epu8(_mm_max_epu8(codes, lo), hi));
  }
  MultiplyArgs rest = args;
  rest.count -= i, rest.a += i, rest.b += i, rest.output += i;
  multiply_u8_scalar(rest);
}

}  // namespace torquant
