#include <immintrin.h>

#include "torquant/kernels/igemm/igemm_internal.h"

// Without VNNI a quad takes three instructions: vpmaddubsw adds pairs of products in 16 bits, vpmaddwd with ones adds
// the pairs, vpaddd accumulates. The first one saturates; so it serves only panels whose weights rule that out
// (pairs_fit). The others are widened to 16 bits first, which is exact; the activations once for all panels, so that a
// product and a sum are all that is left for each 16 of them: three quarters as fast where many inputs are summed.

namespace torquant {
namespace {

inline __attribute__((always_inline)) int32_t load_quad(const uint8_t* codes) {
  int32_t quad;
  __builtin_memcpy(&quad, codes, 4);
  return quad;
}

inline __attribute__((always_inline)) __m256 reals(__m256i acc, const float* multiplier, __m256 rest) {
  return _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc), _mm256_loadu_ps(multiplier), rest);
}

// K3 of 8 columns, unclamped.
inline __attribute__((always_inline)) __m256i requantize(__m256i acc, const float* multiplier, __m256 rest) {
  return _mm256_cvtps_epi32(reals(acc, multiplier, rest));
}

// K9 of 8 columns.
inline __attribute__((always_inline)) __m256 own_row_reals(const IgemmArgs& args, size_t row, size_t column,
                                                           __m256i acc) {
  if (args.row_zero_point != nullptr) {
    const __m256i sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(args.column_sum + column));
    acc = _mm256_sub_epi32(acc, _mm256_mullo_epi32(_mm256_set1_epi32(args.row_zero_point[row]), sums));
  }
  const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), _mm256_loadu_ps(args.multiplier + column));
  return _mm256_fmadd_ps(product, _mm256_set1_ps(args.row_scale[row]), _mm256_loadu_ps(args.offset + column));
}

inline __attribute__((always_inline)) void store_reals(const IgemmArgs& args, size_t row, size_t column, __m256 reals0,
                                                       __m256 reals1) {
  const size_t columns = args.columns - column < 16 ? args.columns - column : 16;
  auto* output = reinterpret_cast<float*>(args.output + args.output_offset[row]) + column;
  if (columns == 16) {
    _mm256_storeu_ps(output, reals0);
    _mm256_storeu_ps(output + 8, reals1);
  } else {
    alignas(32) float all[16];
    _mm256_store_ps(all, reals0);
    _mm256_store_ps(all + 8, reals1);
    __builtin_memcpy(output, all, columns * sizeof(float));
  }
}

// Stores a row of a panel: acc holds its 16 columns in order. kOwnRows: rows have grids of their own.
template <bool kOwnRows>
inline __attribute__((always_inline)) void finish(const IgemmArgs& args, size_t row, size_t column, __m256i acc0,
                                                  __m256i acc1) {
  if constexpr (kOwnRows) {
    store_reals(args, row, column, own_row_reals(args, row, column, acc0), own_row_reals(args, row, column + 8, acc1));
    return;
  }
  const size_t columns = args.columns - column < 16 ? args.columns - column : 16;
  __m256 rest0 = _mm256_loadu_ps(args.offset + column), rest1 = _mm256_loadu_ps(args.offset + column + 8);
  if (args.to_reals) {
    store_reals(args, row, column, reals(acc0, args.multiplier + column, rest0),
                reals(acc1, args.multiplier + column + 8, rest1));
    return;
  }
  if (args.residual != nullptr) {
    alignas(16) uint8_t codes[16] = {};
    __builtin_memcpy(codes, args.residual + args.residual_offset[row] + column, columns);
    const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(codes));
    const __m256 multiplier = _mm256_set1_ps(args.residual_multiplier);
    rest0 = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(all)), multiplier, rest0);
    rest1 = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(all, 8))), multiplier, rest1);
  }
  const __m256i steps0 = requantize(acc0, args.multiplier + column, rest0);
  const __m256i steps1 = requantize(acc1, args.multiplier + column + 8, rest1);
  // Lanes of the two vectors alternate after the pack.
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(steps0, steps1), 0xD8);
  __m128i codes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  codes = _mm_max_epu8(codes, _mm_set1_epi8(static_cast<char>(args.lo)));
  codes = _mm_min_epu8(codes, _mm_set1_epi8(static_cast<char>(args.hi)));
  uint8_t* output = args.output + args.output_offset[row] + column;
  if (columns == 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(output), codes);
  } else {
    alignas(16) uint8_t all[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(all), codes);
    __builtin_memcpy(output, all, columns);
  }
}

// kRows rows of a panel whose pairs fit.
template <size_t kRows, bool kOwnRows>
__attribute__((noinline)) void tile_of_pairs(const IgemmArgs& args, size_t row, size_t panel) {
  const int8_t* weights = args.weights + panel * args.runs * args.run_quads * 64;
  const size_t column = panel * 16;
  const __m256i ones = _mm256_set1_epi16(1);
  const uint8_t* input[kRows];
  __m256i acc[kRows][2];
#pragma GCC unroll 4
  for (size_t i = 0; i < kRows; ++i) {
    input[i] = args.input + args.input_offset[row + i];
    for (size_t j = 0; j < 2; ++j) {
      acc[i][j] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(args.start + column + j * 8));
    }
  }
  for (size_t r = 0; r < args.runs; ++r) {
    ptrdiff_t at = args.run_offset[r];
    const ptrdiff_t end = at + static_cast<ptrdiff_t>(args.run_quads) * 4;
    for (; at != end; at += 4, weights += 64) {
      const __m256i w0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights));
      const __m256i w1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights + 32));
#pragma GCC unroll 4
      for (size_t i = 0; i < kRows; ++i) {
        const __m256i codes = _mm256_set1_epi32(load_quad(input[i] + at));
        acc[i][0] = _mm256_add_epi32(acc[i][0], _mm256_madd_epi16(_mm256_maddubs_epi16(codes, w0), ones));
        acc[i][1] = _mm256_add_epi32(acc[i][1], _mm256_madd_epi16(_mm256_maddubs_epi16(codes, w1), ones));
      }
    }
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < kRows; ++i) finish<kOwnRows>(args, row + i, column, acc[i][0], acc[i][1]);
}

// The codes of some rows as words, one row's K inputs behind another's: only rows of up to kMostWords / 6 inputs.
constexpr size_t kMostWords = 6 * 8192;

void widen(const IgemmArgs& args, size_t row, size_t rows, uint16_t* words) {
  const size_t run = args.run_quads * 4;
  for (size_t i = 0; i < rows; ++i) {
    const uint8_t* input = args.input + args.input_offset[row + i];
    for (size_t r = 0; r < args.runs; ++r, words += run) {
      const uint8_t* codes = input + args.run_offset[r];
      size_t k = 0;
      for (; k + 16 <= run; k += 16) {
        const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + k));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + k), _mm256_cvtepu8_epi16(all));
      }
      for (; k < run; k += 4) {
        const __m128i quad = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(load_quad(codes + k)));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(words + k), quad);
      }
    }
  }
}

// kRows rows of any panel, by products of 16 bits, 8 columns at a time: acc[i][j] holds columns 4j to 4j + 3 of them,
// each as two sums. The codes are read from `words`, or from the image where that is null.
template <size_t kRows, bool kWidened, bool kOwnRows>
__attribute__((noinline)) void tile_of_words(const IgemmArgs& args, const uint16_t* words, size_t row, size_t panel) {
  const size_t inputs = args.runs * args.run_quads * 4, column = panel * 16;
  __m256i halves[kRows][2];
  for (size_t half = 0; half < 2; ++half) {
    const int8_t* weights = args.weights + panel * inputs * 16 + half * 32;
    __m256i acc[kRows][2];
#pragma GCC unroll 6
    for (size_t i = 0; i < kRows; ++i) {
      for (size_t j = 0; j < 2; ++j) {
        const int32_t* start = args.start + column + half * 8 + j * 4;
        // The second sum of each column starts at 0.
        acc[i][j] = _mm256_cvtepu32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(start)));
      }
    }
    for (size_t r = 0; r < (kWidened ? 1 : args.runs); ++r) {
      const size_t length = kWidened ? inputs : args.run_quads * 4;
      for (size_t k = 0; k < length; k += 4, weights += 64) {
        const __m256i w0 = _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(weights)));
        const __m256i w1 = _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(weights + 16)));
#pragma GCC unroll 6
        for (size_t i = 0; i < kRows; ++i) {
          __m256i codes;
          if constexpr (kWidened) {
            int64_t four;
            __builtin_memcpy(&four, words + i * inputs + k, sizeof four);
            codes = _mm256_set1_epi64x(four);
          } else {
            const uint8_t* quad = args.input + args.input_offset[row + i] + args.run_offset[r] + k;
            codes = _mm256_cvtepu8_epi16(_mm_set1_epi32(load_quad(quad)));
          }
          acc[i][0] = _mm256_add_epi32(acc[i][0], _mm256_madd_epi16(codes, w0));
          acc[i][1] = _mm256_add_epi32(acc[i][1], _mm256_madd_epi16(codes, w1));
        }
      }
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < kRows; ++i)
      halves[i][half] = _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[i][0], acc[i][1]), 0xD8);
  }
  for (size_t i = 0; i < kRows; ++i) finish<kOwnRows>(args, row + i, column, halves[i][0], halves[i][1]);
}

template <size_t kRows, bool kWidened, bool kOwnRows>
void rows_of_words(const IgemmArgs& args, size_t row, uint16_t* words) {
  if (kWidened) widen(args, row, kRows, words);
  for (size_t panel = 0; panel * 16 < args.columns; ++panel) {
    if (args.pairs_fit[panel] == 0) tile_of_words<kRows, kWidened, kOwnRows>(args, words, row, panel);
  }
}

template <bool kOwnRows>
void run(const IgemmArgs& args) {
  bool all_fit = true;
  for (size_t panel = 0; panel * 16 < args.columns; ++panel) {
    if (args.pairs_fit[panel] == 0) {
      all_fit = false;
      continue;
    }
    size_t row = 0;
    for (; row + 4 <= args.rows; row += 4) tile_of_pairs<4, kOwnRows>(args, row, panel);
    for (; row < args.rows; ++row) tile_of_pairs<1, kOwnRows>(args, row, panel);
  }
  if (all_fit) return;
  size_t row = 0;
  if (args.runs * args.run_quads * 4 * 6 > kMostWords) {
    for (; row < args.rows; ++row) rows_of_words<1, false, kOwnRows>(args, row, nullptr);
    return;
  }
  alignas(32) uint16_t words[kMostWords];
  for (; row + 6 <= args.rows; row += 6) rows_of_words<6, true, kOwnRows>(args, row, words);
  for (; row + 2 <= args.rows; row += 2) rows_of_words<2, true, kOwnRows>(args, row, words);
  for (; row < args.rows; ++row) rows_of_words<1, true, kOwnRows>(args, row, words);
}

}  // namespace

void igemm_u8s8_avx2(const IgemmArgs& args) {
  if (args.row_scale != nullptr) {
    run<true>(args);
  } else {
    run<false>(args);
  }
}

}  // namespace torquant
