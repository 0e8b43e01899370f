#include <immintrin.h>

#include "torquant/kernels/winograd/winograd_internal.h"

#define TORQUANT_INLINE inline __attribute__((always_inline))

namespace torquant {
namespace {

#include "torquant/kernels/igemm/finish_avx2.inc"

// So many tiles times 16 columns are the 12 sums that registers hold.
constexpr size_t kTogether = 6;

TORQUANT_INLINE __m256i load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
TORQUANT_INLINE void store(void* to, __m256i numbers) { _mm256_storeu_si256(static_cast<__m256i*>(to), numbers); }

// 2x2 pixels of the output; those above `y` and left of `x` are another tile's.
struct Tile {
  size_t top, left, y, x;
};

TORQUANT_INLINE Tile tile_at(const WinogradArgs& args, size_t index) {
  const size_t height = args.product.rows / args.width, across = (args.width + 1) / 2;
  const size_t y = index / across * 2, x = index % across * 2;
  return {.top = y + 2 > height ? height - 2 : y, .left = x + 2 > args.width ? args.width - 2 : x, .y = y, .x = x};
}

// Bᵀ d.
struct Four {
  __m256i at[4];
};
TORQUANT_INLINE Four differences(__m256i d0, __m256i d1, __m256i d2, __m256i d3) {
  return {{_mm256_sub_epi16(d0, d2), _mm256_add_epi16(d1, d2), _mm256_sub_epi16(d2, d1), _mm256_sub_epi16(d1, d3)}};
}

// 2G g.
TORQUANT_INLINE Four doubled(__m256i g0, __m256i g1, __m256i g2) {
  const __m256i ends = _mm256_add_epi16(g0, g2);
  return {{_mm256_slli_epi16(g0, 1), _mm256_add_epi16(ends, g1), _mm256_sub_epi16(ends, g1), _mm256_slli_epi16(g2, 1)}};
}

// Bᵀ d B of a tile: codes[position][kTogether][inputs], this tile's of the first position.
void transform_codes(const WinogradArgs& args, size_t inputs, const Tile& tile, int16_t* codes) {
  const IgemmArgs& product = args.product;
  const uint8_t* pixels = product.input + product.input_offset[tile.top * args.width + tile.left];
  const ptrdiff_t row = product.run_offset[1] - product.run_offset[0];
  pixels += product.run_offset[0];
  for (size_t c = 0; c < inputs; c += 16) {
    Four columns[4];
#pragma GCC unroll 4
    for (size_t x = 0; x < 4; ++x) {
      __m256i d[4];
#pragma GCC unroll 4
      for (ptrdiff_t y = 0; y < 4; ++y) {
        const uint8_t* some = pixels + y * row + x * inputs + c;
        d[y] = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(some)));
      }
      columns[x] = differences(d[0], d[1], d[2], d[3]);
    }
#pragma GCC unroll 4
    for (size_t y = 0; y < 4; ++y) {
      const Four row_of = differences(columns[0].at[y], columns[1].at[y], columns[2].at[y], columns[3].at[y]);
#pragma GCC unroll 4
      for (size_t x = 0; x < 4; ++x) store(codes + (y * 4 + x) * kTogether * inputs + c, row_of.at[x]);
    }
  }
}

// 2G g 2Gᵀ of a panel: weights[position][inputs / 2][16 columns][2].
void transform_weights(const IgemmArgs& product, size_t inputs, size_t panel, int16_t* weights) {
  const size_t step = inputs * 16 + kWinogradGap;
  const int8_t* packed = product.weights + panel * product.runs * product.run_quads * 64;
  // Of 8 columns of 4 inputs: inputs 0 and 1 of each half's columns, then 2 and 3.
  const __m256i pairs = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4, 5, 8, 9, 12, 13,
                                         2, 3, 6, 7, 10, 11, 14, 15);
  for (size_t c = 0; c < inputs; c += 4) {
    for (size_t half = 0; half < 2; ++half) {
      __m256i taps[3][3];
      for (size_t y = 0; y < 3; ++y) {
        for (size_t x = 0; x < 3; ++x) {
          const int8_t* quad = packed + (y * product.run_quads + (x * inputs + c) / 4) * 64 + half * 32;
          taps[y][x] = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(load(quad), pairs), 0xD8);
        }
      }
      for (size_t pair = 0; pair < 2; ++pair) {
        Four columns[3];
#pragma GCC unroll 3
        for (size_t x = 0; x < 3; ++x) {
          __m256i g[3];
#pragma GCC unroll 3
          for (size_t y = 0; y < 3; ++y) {
            g[y] = _mm256_cvtepi8_epi16(pair == 0 ? _mm256_castsi256_si128(taps[y][x])
                                                  : _mm256_extracti128_si256(taps[y][x], 1));
          }
          columns[x] = doubled(g[0], g[1], g[2]);
        }
#pragma GCC unroll 4
        for (size_t y = 0; y < 4; ++y) {
          const Four row = doubled(columns[0].at[y], columns[1].at[y], columns[2].at[y]);
#pragma GCC unroll 4
          for (size_t x = 0; x < 4; ++x) {
            store(weights + (y * 4 + x) * step + (c / 2 + pair) * 32 + half * 16, row.at[x]);
          }
        }
      }
    }
  }
}

// The sums of kTiles tiles and a panel, sums[position][kTogether][16].
template <size_t kTiles>
__attribute__((noinline)) void multiply(const int16_t* codes, const int16_t* weights, size_t inputs, int32_t* sums) {
  for (size_t position = 0; position < 16; ++position) {
    const int16_t* w = weights + position * (inputs * 16 + kWinogradGap);
    __m256i acc[kTiles][2];
#pragma GCC unroll 6
    for (size_t i = 0; i < kTiles; ++i) acc[i][0] = acc[i][1] = _mm256_setzero_si256();
    for (size_t c = 0; c < inputs; c += 2, w += 32) {
      const __m256i w0 = load(w), w1 = load(w + 16);
#pragma GCC unroll 6
      for (size_t i = 0; i < kTiles; ++i) {
        int32_t two;
        __builtin_memcpy(&two, codes + i * inputs + c, sizeof two);
        const __m256i pair = _mm256_set1_epi32(two);
        acc[i][0] = _mm256_add_epi32(acc[i][0], _mm256_madd_epi16(pair, w0));
        acc[i][1] = _mm256_add_epi32(acc[i][1], _mm256_madd_epi16(pair, w1));
      }
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < kTiles; ++i) {
      store(sums + i * 16, acc[i][0]);
      store(sums + i * 16 + 8, acc[i][1]);
    }
    codes += kTogether * inputs;
    sums += kTogether * 16;
  }
}

// Aᵀ m of four numbers, the first or the second one.
TORQUANT_INLINE __m256i first_of(const __m256i (&m)[4]) { return _mm256_add_epi32(_mm256_add_epi32(m[0], m[1]), m[2]); }
TORQUANT_INLINE __m256i second_of(const __m256i (&m)[4]) {
  return _mm256_sub_epi32(_mm256_sub_epi32(m[1], m[2]), m[3]);
}

// Aᵀ m A / 4 of a tile and 8 columns, and their start: pixels[y * 2 + x].
TORQUANT_INLINE void pixels_of(const int32_t* sums, const int32_t* start, __m256i (&pixels)[4]) {
  __m256i upper[4], lower[4];
#pragma GCC unroll 4
  for (size_t x = 0; x < 4; ++x) {
    __m256i m[4];
#pragma GCC unroll 4
    for (size_t y = 0; y < 4; ++y) m[y] = load(sums + (y * 4 + x) * kTogether * 16);
    upper[x] = first_of(m);
    lower[x] = second_of(m);
  }
  const __m256i four[4] = {first_of(upper), second_of(upper), first_of(lower), second_of(lower)};
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; ++i) pixels[i] = _mm256_add_epi32(_mm256_srai_epi32(four[i], 2), load(start));
}

void finish_tile(const WinogradArgs& args, const Tile& tile, size_t column, const int32_t* sums) {
  const size_t width = args.width;
  __m256i low[4], high[4];
  pixels_of(sums, args.product.start + column, low);
  pixels_of(sums + 8, args.product.start + column + 8, high);
  const Finish<false> finish(args.product, column);
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; ++i) {
    const size_t y = tile.top + i / 2, x = tile.left + i % 2;
    if (y >= tile.y && x >= tile.x) finish(y * width + x, low[i], high[i]);
  }
}

void multiply_some(size_t tiles, const int16_t* codes, const int16_t* weights, size_t inputs, int32_t* sums) {
  switch (tiles) {
    case 1:
      return multiply<1>(codes, weights, inputs, sums);
    case 2:
      return multiply<2>(codes, weights, inputs, sums);
    case 3:
      return multiply<3>(codes, weights, inputs, sums);
    case 4:
      return multiply<4>(codes, weights, inputs, sums);
    case 5:
      return multiply<5>(codes, weights, inputs, sums);
    default:
      return multiply<kTogether>(codes, weights, inputs, sums);
  }
}

// Up to kWinogradTiles tiles, all columns.
void run_block(const WinogradArgs& args, size_t inputs, size_t first, size_t tiles) {
  auto* codes = reinterpret_cast<int16_t*>(args.scratch);
  int16_t* weights = codes + kWinogradTiles * 16 * inputs;
  const size_t group = 16 * kTogether * inputs;
  for (size_t i = 0; i < tiles; ++i) {
    int16_t* to = codes + i / kTogether * group + i % kTogether * inputs;
    transform_codes(args, inputs, tile_at(args, first + i), to);
  }
  for (size_t panel = 0; panel * 16 < args.product.columns; ++panel) {
    transform_weights(args.product, inputs, panel, weights);
    for (size_t i = 0; i < tiles; i += kTogether) {
      const size_t together = tiles - i < kTogether ? tiles - i : kTogether;
      alignas(32) int32_t sums[16 * kTogether * 16];
      multiply_some(together, codes + i / kTogether * group, weights, inputs, sums);
      for (size_t j = 0; j < together; ++j) finish_tile(args, tile_at(args, first + i + j), panel * 16, sums + j * 16);
    }
  }
}

}  // namespace

void winograd_u8s8_avx2(const WinogradArgs& args) {
  const size_t inputs = args.product.run_quads * 4 / 3;
  // Blocks of one size, as each transforms the weights anew.
  const size_t blocks = (args.tiles + kWinogradTiles - 1) / kWinogradTiles;
  for (size_t block = 0; block < blocks; ++block) {
    const size_t begin = args.tiles * block / blocks, end = args.tiles * (block + 1) / blocks;
    run_block(args, inputs, args.first_tile + begin, end - begin);
  }
}

}  // namespace torquant
