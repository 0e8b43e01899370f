#include <immintrin.h>

#include "torquant/kernels/image/image_internal.h"

// Images of up to four channels, as photographs are: eight pixels at a time, each made as one word of 32 bits. Others
// are rare at the border of a network and go the scalar way.

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

template <size_t kChannels>
void quantize_row(const float* const (&planes)[4], uint8_t* codes, size_t width, const Grid& grid) {
  for (size_t x = 0; x < width; x += 8) {
    __m256i pixels = codes_of(planes[0] + x, grid);
    if constexpr (kChannels > 1) pixels = _mm256_or_si256(pixels, _mm256_slli_epi32(codes_of(planes[1] + x, grid), 8));
    if constexpr (kChannels > 2) pixels = _mm256_or_si256(pixels, _mm256_slli_epi32(codes_of(planes[2] + x, grid), 16));
    if constexpr (kChannels > 3) pixels = _mm256_or_si256(pixels, _mm256_slli_epi32(codes_of(planes[3] + x, grid), 24));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + x * 4), pixels);
  }
}

}  // namespace

void quantize_image_avx2(const ImageArgs& args) {
  if (args.channels > 4 || args.pixel_bytes != 4 || args.width % 8 != 0) return quantize_image_scalar(args);
  const Grid grid{.inverse_scale = _mm256_set1_ps(args.inverse_scale),
                  .lo = _mm256_set1_ps(static_cast<float>(args.lo - args.zero_point)),
                  .hi = _mm256_set1_ps(static_cast<float>(args.hi - args.zero_point)),
                  .zero_point = _mm256_set1_epi32(args.zero_point)};
  for (size_t y = 0; y < args.height; ++y) {
    const float* planes[4] = {};
    for (size_t c = 0; c < args.channels; ++c) planes[c] = args.numbers + (c * args.height + y) * args.width;
    uint8_t* codes = args.codes + y * args.row_bytes;
    switch (args.channels) {
      case 1:
        quantize_row<1>(planes, codes, args.width, grid);
        break;
      case 2:
        quantize_row<2>(planes, codes, args.width, grid);
        break;
      case 3:
        quantize_row<3>(planes, codes, args.width, grid);
        break;
      default:
        quantize_row<4>(planes, codes, args.width, grid);
        break;
    }
  }
}

void dequantize_image_avx2(const ImageArgs& args) { dequantize_image_scalar(args); }

}  // namespace torquant
