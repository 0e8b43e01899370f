#include <immintrin.h>

#include "torquant/kernels/igemm/igemm_internal.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 says so of its own intrinsics (gcc.gnu.org/PR105593)
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

// Tiles of up to 6 rows x 64 columns or 8 rows x 48: at least 8 accumulators hide the latency of vpdpbusd (4 cycles at
// two a cycle), and 24 leave registers for 4 vectors of weights. Loads a step: rows + vectors, under half of the dot
// products, so the weights may come from L2.

namespace torquant {
namespace {

inline __attribute__((always_inline)) __m512i dot(__m512i acc, __m512i codes, __m512i weights) {
#if defined(__clang__)
  return _mm512_dpbusd_epi32(acc, codes, weights);
#else
  // g++ 12 spills accumulators around the intrinsic: 107 in place of 230 GMAC/s.
  __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(codes), "v"(weights));
  return acc;
#endif
}

inline __attribute__((always_inline)) __m512i broadcast_quad(const uint8_t* codes) {
  int32_t quad;
  __builtin_memcpy(&quad, codes, 4);
  return _mm512_set1_epi32(quad);
}

inline __attribute__((always_inline)) __mmask64 first(size_t count) { return ~__mmask64{0} >> (64 - count); }

// Reals of 16 columns from `column` on, for kRows rows.
template <size_t kRows, size_t kVectors>
inline __attribute__((always_inline)) void store_reals(const IgemmArgs& args, size_t row, size_t column,
                                                       const __m512i (&acc)[kRows][kVectors], size_t j) {
  const size_t columns = args.columns - column < 16 ? args.columns - column : 16;
  const __m512 multiplier = _mm512_loadu_ps(args.multiplier + column), offset = _mm512_loadu_ps(args.offset + column);
#pragma GCC unroll 8
  for (size_t i = 0; i < kRows; ++i) {
    auto* output = reinterpret_cast<float*>(args.output + args.output_offset[row + i]) + column;
    _mm512_mask_storeu_ps(output, static_cast<__mmask16>(first(columns)),
                          _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[i][j]), multiplier, offset));
  }
}

// K9 of vector j of kRows rows: 16 columns from `column` on, whose constants stay in registers for all rows.
template <size_t kRows, size_t kVectors>
inline __attribute__((always_inline)) void store_own_rows(const IgemmArgs& args, size_t row, size_t column,
                                                          const __m512i (&acc)[kRows][kVectors], size_t j) {
  const size_t columns = args.columns - column < 16 ? args.columns - column : 16;
  const auto mask = static_cast<__mmask16>(first(columns));
  const __m512 multiplier = _mm512_loadu_ps(args.multiplier + column), offset = _mm512_loadu_ps(args.offset + column);
  const bool zero_points = args.row_zero_point != nullptr;
  const __m512i column_sum = zero_points ? _mm512_loadu_si512(args.column_sum + column) : _mm512_setzero_si512();
#pragma GCC unroll 8
  for (size_t i = 0; i < kRows; ++i) {
    __m512i sum = acc[i][j];
    if (zero_points) {
      sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(column_sum, _mm512_set1_epi32(args.row_zero_point[row + i])));
    }
    const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), multiplier);
    const __m512 real = _mm512_fmadd_ps(product, _mm512_set1_ps(args.row_scale[row + i]), offset);
    auto* output = reinterpret_cast<float*>(args.output + args.output_offset[row + i]) + column;
    if (columns == 16) {
      _mm512_storeu_ps(output, real);
    } else {
      _mm512_mask_storeu_ps(output, mask, real);
    }
  }
}

// K3, unclamped, in place of the sums. Constants of 16 columns stay in registers for all rows.
template <size_t kRows, size_t kVectors>
inline __attribute__((always_inline)) void to_steps(const IgemmArgs& args, size_t row, size_t column,
                                                    __m512i (&acc)[kRows][kVectors]) {
#pragma GCC unroll 4
  for (size_t j = 0; j < kVectors; ++j) {
    const size_t n = column + j * 16, left = args.columns - n < 16 ? args.columns - n : 16;
    const __m512 multiplier = _mm512_loadu_ps(args.multiplier + n), offset = _mm512_loadu_ps(args.offset + n);
    if (args.residual == nullptr) {
#pragma GCC unroll 8
      for (size_t i = 0; i < kRows; ++i) {
        acc[i][j] = _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[i][j]), multiplier, offset));
      }
    } else {
      const __m512 residual_multiplier = _mm512_set1_ps(args.residual_multiplier);
      const auto mask = static_cast<__mmask16>(first(left));
#pragma GCC unroll 8
      for (size_t i = 0; i < kRows; ++i) {
        const __m128i codes = _mm_maskz_loadu_epi8(mask, args.residual + args.residual_offset[row + i] + n);
        const __m512 rest =
            _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(codes)), residual_multiplier, offset);
        acc[i][j] = _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[i][j]), multiplier, rest));
      }
    }
  }
}

// Codes of steps, four vectors at a time: of a row, of two, or of four.
template <size_t kRows, size_t kVectors>
inline __attribute__((always_inline)) void store_codes(const IgemmArgs& args, size_t row, size_t column,
                                                       const __m512i (&steps)[kRows][kVectors]) {
  constexpr size_t kPackRows = kVectors == 1 ? 4 : kVectors == 2 ? 2 : 1;
  const size_t columns = args.columns - column < kVectors * 16 ? args.columns - column : kVectors * 16;
  // The packs take 128-bit lanes from each of four vectors in turn.
  const __m512i natural_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const bool clamps = args.lo > 0 || args.hi < 255;  // beyond what the packs do
  const __m512i lo = _mm512_set1_epi8(static_cast<char>(args.lo)), hi = _mm512_set1_epi8(static_cast<char>(args.hi));
#pragma GCC unroll 8
  for (size_t i = 0; i < kRows; i += kPackRows) {
    __m512i four[4] = {};
#pragma GCC unroll 4
    for (size_t v = 0; v < kPackRows * kVectors; ++v) {
      if (i + v / kVectors < kRows) four[v] = steps[i + v / kVectors][v % kVectors];
    }
    __m512i codes = _mm512_permutexvar_epi32(
        natural_order, _mm512_packus_epi16(_mm512_packs_epi32(four[0], four[1]), _mm512_packs_epi32(four[2], four[3])));
    if (clamps) codes = _mm512_min_epu8(_mm512_max_epu8(codes, lo), hi);
#pragma GCC unroll 4
    for (size_t r = 0; r < kPackRows; ++r) {
      if (i + r >= kRows) break;
      uint8_t* output = args.output + args.output_offset[row + i + r] + column;
      if (kVectors == 3 || columns < kVectors * 16) {
        _mm512_mask_storeu_epi8(output, first(columns), codes);
      } else if (kVectors == 4) {
        _mm512_storeu_si512(output, codes);
      } else if (kVectors == 2) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(output), _mm512_castsi512_si256(codes));
      } else {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(output), _mm512_castsi512_si128(codes));
      }
      codes = _mm512_shuffle_i64x2(codes, codes, kVectors == 2 ? 0x4E : 0x39);  // the next row's to the front
    }
  }
}

enum class Kind {
  kPlain,
  kOwnRows,   // rows have grids of their own
  kHalfPanel  // the last panel has 8 columns or fewer: a vector has those of two rows
};

// Rows from `row` on, columns of kVectors panels from `panel` on.
template <size_t kRows, size_t kVectors, Kind kKind>
__attribute__((noinline)) void tile(const IgemmArgs& args, size_t row, size_t panel) {
  const size_t panel_bytes = args.runs * args.run_quads * 64, column = panel * 16;
  const int8_t* weights = args.weights + panel * panel_bytes;
  constexpr bool kHalves = kKind == Kind::kHalfPanel;
  constexpr size_t kWhole = kHalves ? kVectors - 1 : kVectors;
  const uint8_t* input[kRows];
  __m512i acc[kRows][kVectors];
  __m512i halves[(kRows + 1) / 2];  // of rows 2i and 2i + 1, with kHalves
  const auto load_half = [](const void* from) {
    return _mm512_broadcast_i64x4(_mm256_loadu_si256(static_cast<const __m256i*>(from)));
  };
#pragma GCC unroll 8
  for (size_t i = 0; i < kRows; ++i) {
    input[i] = args.input + args.input_offset[row + i];
#pragma GCC unroll 4
    for (size_t j = 0; j < kWhole; ++j) acc[i][j] = _mm512_loadu_si512(args.start + column + j * 16);
    if constexpr (kHalves) halves[i / 2] = load_half(args.start + column + kWhole * 16);
  }
  for (size_t r = 0; r < args.runs; ++r) {
    ptrdiff_t at = args.run_offset[r];
    const ptrdiff_t end = at + static_cast<ptrdiff_t>(args.run_quads) * 4;
    for (; at != end; at += 4, weights += 64) {
      __m512i w[kVectors], even{};
#pragma GCC unroll 4
      for (size_t j = 0; j < kWhole; ++j) w[j] = _mm512_load_si512(weights + j * panel_bytes);
      if constexpr (kHalves) w[kWhole] = load_half(weights + kWhole * panel_bytes);
#pragma GCC unroll 8
      for (size_t i = 0; i < kRows; ++i) {
        const __m512i codes = broadcast_quad(input[i] + at);
#pragma GCC unroll 4
        for (size_t j = 0; j < kWhole; ++j) acc[i][j] = dot(acc[i][j], codes, w[j]);
        if constexpr (kHalves) {
          if (i % 2 == 0) even = codes;
          if (i % 2 == 0 && i + 1 < kRows) continue;
          halves[i / 2] = dot(halves[i / 2], _mm512_mask_blend_epi32(0xFF00, even, codes), w[kWhole]);
        }
      }
    }
  }

  if constexpr (kHalves) {
#pragma GCC unroll 8
    for (size_t i = 0; i < kRows; ++i) {
      acc[i][kWhole] = i % 2 == 0 ? halves[i / 2] : _mm512_shuffle_i64x2(halves[i / 2], halves[i / 2], 0x4E);
    }
  }
  if (kKind == Kind::kOwnRows || args.to_reals) {
#pragma GCC unroll 4
    for (size_t j = 0; j < kVectors; ++j) {
      if constexpr (kKind == Kind::kOwnRows) {
        store_own_rows<kRows, kVectors>(args, row, column + j * 16, acc, j);
      } else {
        store_reals<kRows, kVectors>(args, row, column + j * 16, acc, j);
      }
    }
    return;
  }
  to_steps(args, row, column, acc);
  store_codes(args, row, column, acc);
}

template <size_t kVectors, Kind kKind>
void rows_of(const IgemmArgs& args, size_t panel) {
  constexpr size_t kMost = kVectors == 4 ? 6 : 8;
  // Tiles of nearly equal height: 49 rows are 4 of 6 and 5 of 5, not 8 of 6 and 1 of 1.
  const size_t tiles = (args.rows + kMost - 1) / kMost;
  for (size_t t = 0; t < tiles; ++t) {
    const size_t row = args.rows * t / tiles, rows = args.rows * (t + 1) / tiles - row;
    switch (rows) {
      case 1:
        tile<1, kVectors, kKind>(args, row, panel);
        break;
      case 2:
        tile<2, kVectors, kKind>(args, row, panel);
        break;
      case 3:
        tile<3, kVectors, kKind>(args, row, panel);
        break;
      case 4:
        tile<4, kVectors, kKind>(args, row, panel);
        break;
      case 5:
        tile<5, kVectors, kKind>(args, row, panel);
        break;
      case 6:
        tile<6, kVectors, kKind>(args, row, panel);
        break;
      case 7:
        tile<kMost == 8 ? 7 : 6, kVectors, kKind>(args, row, panel);
        break;
      default:
        tile<kMost, kVectors, kKind>(args, row, panel);
        break;
    }
  }
}

template <Kind kKind>
void run(const IgemmArgs& args) {
  const size_t panels = (args.columns + 15) / 16, chunks = (panels + 3) / 4;
  // All rows by a chunk of columns, whose weights stay in L2; chunks of nearly equal width: 5 panels are 3 and 2.
  for (size_t c = 0; c < chunks; ++c) {
    const size_t panel = panels * c / chunks, end = panels * (c + 1) / chunks;
    const bool half = kKind == Kind::kPlain && args.columns + 8 <= end * 16;
    switch (end - panel) {
      case 1:
        rows_of<1, kKind>(args, panel);
        break;
      case 2:
        half ? rows_of<2, Kind::kHalfPanel>(args, panel) : rows_of<2, kKind>(args, panel);
        break;
      case 3:
        half ? rows_of<3, Kind::kHalfPanel>(args, panel) : rows_of<3, kKind>(args, panel);
        break;
      default:
        rows_of<4, kKind>(args, panel);
        break;
    }
  }
}

}  // namespace

void igemm_u8s8_avx512vnni(const IgemmArgs& args) {
  if (args.row_scale != nullptr) {
    run<Kind::kOwnRows>(args);
  } else {
    run<Kind::kPlain>(args);
  }
}

}  // namespace torquant
