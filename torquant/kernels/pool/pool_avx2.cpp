#include <immintrin.h>

#include "torquant/kernels/pool/pool_internal.h"

namespace torquant {
namespace {

inline __attribute__((always_inline)) __m256i load(const uint8_t* codes) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
}

// The taps of a window that lie inside the image, in one direction: [begin, end).
struct Taps {
  size_t begin, end;
};
inline Taps inside(size_t position, size_t kernel, size_t dilation, size_t padding, size_t size) {
  Taps taps{0, kernel};
  while (taps.begin < kernel && position + taps.begin * dilation < padding) ++taps.begin;
  while (taps.end > taps.begin && position + (taps.end - 1) * dilation >= size + padding) --taps.end;
  return taps;
}

}  // namespace

void max_pool_avx2(const MaxPoolArgs& args) {
  if (args.channels < 32) return max_pool_scalar(args);
  for (size_t y = args.out_begin; y < args.out_end; ++y) {
    const size_t top = y * args.stride_height;
    const Taps rows = inside(top, args.kernel_height, args.dilation_height, args.padding_height, args.in_height);
    for (size_t x = 0; x < args.out_width; ++x) {
      const size_t left = x * args.stride_width;
      const Taps columns = inside(left, args.kernel_width, args.dilation_width, args.padding_width, args.in_width);
      uint8_t* output = args.output + y * args.out_row_bytes + x * args.out_pixel_bytes;
      for (size_t block = 0; block < args.channels; block += 32) {
        const size_t c = block + 32 <= args.channels ? block : args.channels - 32;  // the last one may overlap
        __m256i most = _mm256_setzero_si256();
        for (size_t i = rows.begin; i < rows.end; ++i) {
          const uint8_t* row =
              args.input + (top + i * args.dilation_height - args.padding_height) * args.in_row_bytes + c;
          for (size_t j = columns.begin; j < columns.end; ++j) {
            most = _mm256_max_epu8(
                most, load(row + (left + j * args.dilation_width - args.padding_width) * args.in_pixel_bytes));
          }
        }
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(output + c), most);
      }
    }
  }
}

void global_average_pool_avx2(const GlobalAveragePoolArgs& args) {
  if (args.channels < 16) return global_average_pool_scalar(args);
  const __m256 multiplier = _mm256_set1_ps(args.multiplier), offset = _mm256_set1_ps(args.offset);
  const __m128i lo = _mm_set1_epi8(static_cast<char>(args.lo)), hi = _mm_set1_epi8(static_cast<char>(args.hi));
  for (size_t block = 0; block < args.channels; block += 16) {
    const size_t c = block + 16 <= args.channels ? block : args.channels - 16;
    __m256i low = _mm256_set1_epi32(args.start), high = low;
    for (size_t row = 0; row < args.planes * args.height; ++row) {
      const size_t z = row / args.height, y = row % args.height;
      const uint8_t* code = args.input + z * args.plane_bytes + y * args.row_bytes + c;
      for (size_t x = 0; x < args.width; ++x, code += args.pixel_bytes) {
        const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code));
        low = _mm256_add_epi32(low, _mm256_cvtepu8_epi32(codes));
        high = _mm256_add_epi32(high, _mm256_cvtepu8_epi32(_mm_srli_si128(codes, 8)));
      }
    }
    const __m256i steps0 = _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(low), multiplier, offset));
    const __m256i steps1 = _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(high), multiplier, offset));
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(steps0, steps1), 0xD8);
    const __m128i codes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(args.output + c), _mm_min_epu8(_mm_max_epu8(codes, lo), hi));
  }
}

}  // namespace torquant
