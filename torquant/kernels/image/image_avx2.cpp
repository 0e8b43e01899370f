#include <immintrin.h>

#include "torquant/kernels/image/image_internal.h"

// Images of three channels, as photographs are: eight pixels at a time, each made as one word of 32 bits, and these
// packed. Others are rare at the border of a network and go the scalar way.

namespace torquant {
namespace {

struct Grid {
  __m256 inverse_scale, lo, hi;
  __m256i zero_point;
};

// Codes of eight numbers, in 32 bits each.
inline __attribute__((always_inline)) __m256i codes_of(const float* numbers, const Grid& grid) {
  // The comparison gives its second operand for NaN: lo.
  const __m256 steps = _mm256_max_ps(_mm256_mul_ps(_mm256_loadu_ps(numbers), grid.inverse_scale), grid.lo);
  return _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_min_ps(steps, grid.hi)), grid.zero_point);
}

// Eight pixels of three bytes, from words of four.
inline __attribute__((always_inline)) void store_pixels(__m256i words, uint8_t* codes) {
  const __m256i order = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,  //
                                         0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  const __m256i packed = _mm256_shuffle_epi8(words, order);
  const __m128i low = _mm256_castsi256_si128(packed), high = _mm256_extracti128_si256(packed, 1);
  const int32_t last = _mm_extract_epi32(high, 2);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), low);  // four bytes too many, which the next store corrects
  _mm_storel_epi64(reinterpret_cast<__m128i*>(codes + 12), high);
  __builtin_memcpy(codes + 20, &last, sizeof(last));
}

}  // namespace

void quantize_image_avx2(const ImageArgs& args) {
  if (args.channels != 3 || args.pixel_bytes != 3 || args.width % 8 != 0) return quantize_image_scalar(args);
  const Grid grid{.inverse_scale = _mm256_set1_ps(args.inverse_scale),
                  .lo = _mm256_set1_ps(static_cast<float>(args.lo - args.zero_point)),
                  .hi = _mm256_set1_ps(static_cast<float>(args.hi - args.zero_point)),
                  .zero_point = _mm256_set1_epi32(args.zero_point)};
  const size_t plane = args.channel_step;
  for (size_t y = 0; y < args.height; ++y) {
    const float* numbers = args.numbers + y * args.width;
    uint8_t* codes = args.codes + y * args.row_bytes;
    for (size_t x = 0; x < args.width; x += 8) {
      const __m256i green = _mm256_slli_epi32(codes_of(numbers + plane + x, grid), 8);
      const __m256i blue = _mm256_slli_epi32(codes_of(numbers + 2 * plane + x, grid), 16);
      store_pixels(_mm256_or_si256(codes_of(numbers + x, grid), _mm256_or_si256(green, blue)), codes + x * 3);
    }
  }
}

void dequantize_image_avx2(const ImageArgs& args) { dequantize_image_scalar(args); }

}  // namespace torquant
