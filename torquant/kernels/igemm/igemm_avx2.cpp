#include <immintrin.h>

#include "torquant/kernels/igemm/igemm_internal.h"

#define TORQUANT_INLINE inline __attribute__((always_inline))

// Without VNNI a quad takes three instructions: vpmaddubsw adds pairs of products in 16 bits, vpmaddwd with ones adds
// the pairs, vpaddd accumulates. The first one saturates where two weights of a pair have a sum beyond 128. So such
// pairs are cut to 128, and what was cut off the first weight, its excess, is multiplied on its own, in 16 bits. That
// is exact, and cheap, as few weights have any: codes are picked from 16 of a row's for two excesses of each column. A
// panel is cut once for many rows.

namespace torquant {
namespace {

#include "torquant/kernels/igemm/finish_avx2.inc"

// Of a panel, on the stack. Longer sums, and panels of more excess, are widened to 16 bits.
constexpr size_t kMostQuads = 1152;
constexpr size_t kMostWindows = 352;  // for 8 columns

// What to add for 8 columns, a window of 16 codes at a time.
struct Excess {
  alignas(32) uint8_t pick[kMostWindows][32];    // [8 columns][2]: the code's place in the window, and a zero behind it
  alignas(32) int16_t weight[kMostWindows][16];  // [8 columns][2]
  int32_t codes[kMostWindows];                   // bytes from a row's first code to the window
  size_t count;
};

struct CutPanel {
  alignas(64) int8_t weights[kMostQuads * 64];
  Excess halves[2];
};

TORQUANT_INLINE int32_t load_quad(const uint8_t* codes) {
  int32_t quad;
  __builtin_memcpy(&quad, codes, 4);
  return quad;
}

TORQUANT_INLINE __m256i load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
TORQUANT_INLINE void store(void* to, __m256i numbers) { _mm256_storeu_si256(static_cast<__m256i*>(to), numbers); }

// What the sum of each pair of weights has beyond 128 or -128: of different signs it never has any.
TORQUANT_INLINE __m256i excess_of(__m256i weights) {
  const __m256i sums = _mm256_maddubs_epi16(_mm256_set1_epi8(1), weights);
  const __m256i cut = _mm256_max_epi16(_mm256_min_epi16(sums, _mm256_set1_epi16(128)), _mm256_set1_epi16(-128));
  return _mm256_sub_epi16(sums, cut);
}

// A bit for each number that is not 0: of the lower halves of a and b, then of their upper ones.
TORQUANT_INLINE uint32_t not_zero(__m256i a, __m256i b) {
  const __m256i zeros = _mm256_cmpeq_epi8(_mm256_packs_epi16(a, b), _mm256_setzero_si256());
  return ~static_cast<uint32_t>(_mm256_movemask_epi8(zeros));
}

// Adds what four quads of 8 columns have, `codes` bytes from a row's first one. False where there is no room.
bool add_excess(const __m256i (&excess)[4], int32_t codes, Excess& to) {
  alignas(32) int16_t weights[4][16];
  for (size_t i = 0; i < 4; ++i) store(weights[i], excess[i]);
  uint64_t left = not_zero(excess[0], excess[1]) | uint64_t{not_zero(excess[2], excess[3])} << 32;
  uint8_t used[8];
  for (bool full = true; left != 0; left &= left - 1) {
    const auto bit = static_cast<size_t>(__builtin_ctzll(left));
    const size_t quad = bit / 32 * 2 + bit / 8 % 2, pair = bit / 16 % 2 * 8 + bit % 8, column = pair / 2;
    if (full || used[column] == 2) {
      if (to.count == kMostWindows) return false;
      __builtin_memset(to.pick[to.count], 0x80, 32);  // picks a zero
      __builtin_memset(to.weight[to.count], 0, 32);
      to.codes[to.count++] = codes;
      __builtin_memset(used, 0, sizeof used);
      full = false;
    }
    const size_t slot = column * 2 + used[column]++;
    to.pick[to.count - 1][slot * 2] = static_cast<uint8_t>(quad * 4 + pair % 2 * 2);
    to.weight[to.count - 1][slot] = weights[quad][pair];
  }
  return true;
}

// False where a panel has too many quads or too much excess.
bool cut(const IgemmArgs& args, size_t panel, CutPanel& to) {
  const size_t quads = args.run_quads;
  if (quads < 4 || args.runs * quads > kMostQuads) return false;
  const int8_t* weights = args.weights + panel * args.runs * quads * 64;
  int8_t* cut = to.weights;
  to.halves[0].count = to.halves[1].count = 0;
  for (size_t r = 0; r < args.runs; ++r, weights += quads * 64, cut += quads * 64) {
    for (size_t begin = 0; begin < quads; begin += 4) {
      // The last four of a run may reach over others, whose excess is there already.
      const size_t first = begin + 4 > quads ? quads - 4 : begin;
      for (size_t half = 0; half < 2; ++half) {
        __m256i excess[4];
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; ++i) {
          const size_t at = (first + i) * 64 + half * 32;
          const __m256i w = load(weights + at);
          excess[i] = excess_of(w);
          store(cut + at, _mm256_sub_epi8(w, _mm256_and_si256(excess[i], _mm256_set1_epi16(0xFF))));
        }
        for (size_t i = 0; first + i < begin; ++i) excess[i] = _mm256_setzero_si256();
        const int32_t codes = args.run_offset[r] + static_cast<int32_t>(first * 4);
        if (!add_excess(excess, codes, to.halves[half])) return false;
      }
    }
  }
  return true;
}

// kRows rows of a panel whose pairs fit, or which was cut to that.
template <size_t kRows, bool kOwnRows>
__attribute__((noinline)) void tile_of_pairs(const IgemmArgs& args, size_t row, size_t panel, const CutPanel* cut) {
  const int8_t* weights = cut == nullptr ? args.weights + panel * args.runs * args.run_quads * 64 : cut->weights;
  const size_t column = panel * 16;
  const __m256i ones = _mm256_set1_epi16(1);
  const uint8_t* input[kRows];
  __m256i acc[kRows][2];
#pragma GCC unroll 5
  for (size_t i = 0; i < kRows; ++i) {
    input[i] = args.input + args.input_offset[row + i];
    for (size_t j = 0; j < 2; ++j) acc[i][j] = load(args.start + column + j * 8);
  }
  for (size_t r = 0; r < args.runs; ++r) {
    ptrdiff_t at = args.run_offset[r];
    const ptrdiff_t end = at + static_cast<ptrdiff_t>(args.run_quads) * 4;
    for (; at != end; at += 4, weights += 64) {
      const __m256i w0 = load(weights), w1 = load(weights + 32);
#pragma GCC unroll 5
      for (size_t i = 0; i < kRows; ++i) {
        const __m256i codes = _mm256_set1_epi32(load_quad(input[i] + at));
        acc[i][0] = _mm256_add_epi32(acc[i][0], _mm256_madd_epi16(_mm256_maddubs_epi16(codes, w0), ones));
        acc[i][1] = _mm256_add_epi32(acc[i][1], _mm256_madd_epi16(_mm256_maddubs_epi16(codes, w1), ones));
      }
    }
  }
#pragma GCC unroll 2
  for (size_t j = 0; j < 2 && cut != nullptr; ++j) {
    const Excess& excess = cut->halves[j];
    for (size_t at = 0; at < excess.count; ++at) {
      const __m256i pick = load(excess.pick[at]), weight = load(excess.weight[at]);
#pragma GCC unroll 5
      for (size_t i = 0; i < kRows; ++i) {
        const auto* window = reinterpret_cast<const __m128i*>(input[i] + excess.codes[at]);
        const __m256i codes = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(window)), pick);
        acc[i][j] = _mm256_add_epi32(acc[i][j], _mm256_madd_epi16(codes, weight));
      }
    }
  }
  const Finish<kOwnRows> finish(args, column);
#pragma GCC unroll 5
  for (size_t i = 0; i < kRows; ++i) finish(row + i, acc[i][0], acc[i][1]);
}

// Weights or codes in 16 bits, where they lie: 0 and 2 of each quad, and 1 and 3.
struct Words {
  __m256i even, odd;
};

TORQUANT_INLINE Words words_of_weights(__m256i weights) {
  return {_mm256_srai_epi16(_mm256_slli_epi16(weights, 8), 8), _mm256_srai_epi16(weights, 8)};
}

TORQUANT_INLINE Words words_of_codes(__m256i codes) {
  return {_mm256_and_si256(codes, _mm256_set1_epi16(0xFF)), _mm256_srli_epi16(codes, 8)};
}

TORQUANT_INLINE __m256i add_words(__m256i acc, const Words& codes, const Words& weights) {
  acc = _mm256_add_epi32(acc, _mm256_madd_epi16(codes.even, weights.even));
  return _mm256_add_epi32(acc, _mm256_madd_epi16(codes.odd, weights.odd));
}

// kRows rows of a panel, all of it widened.
template <size_t kRows, bool kOwnRows>
__attribute__((noinline)) void tile_of_words(const IgemmArgs& args, size_t row, size_t panel) {
  const int8_t* weights = args.weights + panel * args.runs * args.run_quads * 64;
  const size_t column = panel * 16;
  const uint8_t* input[kRows];
  __m256i acc[kRows][2];
#pragma GCC unroll 4
  for (size_t i = 0; i < kRows; ++i) {
    input[i] = args.input + args.input_offset[row + i];
    for (size_t j = 0; j < 2; ++j) acc[i][j] = load(args.start + column + j * 8);
  }
  for (size_t r = 0; r < args.runs; ++r) {
    ptrdiff_t at = args.run_offset[r];
    const ptrdiff_t end = at + static_cast<ptrdiff_t>(args.run_quads) * 4;
    for (; at != end; at += 4, weights += 64) {
      const Words w0 = words_of_weights(load(weights)), w1 = words_of_weights(load(weights + 32));
#pragma GCC unroll 4
      for (size_t i = 0; i < kRows; ++i) {
        const Words codes = words_of_codes(_mm256_set1_epi32(load_quad(input[i] + at)));
        acc[i][0] = add_words(acc[i][0], codes, w0);
        acc[i][1] = add_words(acc[i][1], codes, w1);
      }
    }
  }
  const Finish<kOwnRows> finish(args, column);
#pragma GCC unroll 4
  for (size_t i = 0; i < kRows; ++i) finish(row + i, acc[i][0], acc[i][1]);
}

// Fewer do not repay cutting.
constexpr size_t kFewRows = 8;
// Whose codes stay in the caches while all panels meet them.
constexpr size_t kBlockRows = 256;

template <bool kOwnRows>
void run_panel(const IgemmArgs& args, size_t row, size_t end, size_t panel, CutPanel& memory) {
  const bool fits = args.pairs_fit[panel] != 0;
  if (fits || (end - row >= kFewRows && cut(args, panel, memory))) {
    const CutPanel* some = fits ? nullptr : &memory;
    for (; row + 4 <= end && row + 5 != end; row += 4) tile_of_pairs<4, kOwnRows>(args, row, panel, some);
    for (; row + 5 == end; row += 5) tile_of_pairs<5, kOwnRows>(args, row, panel, some);
    for (; row < end; ++row) tile_of_pairs<1, kOwnRows>(args, row, panel, some);
  } else {
    for (; row + 4 <= end; row += 4) tile_of_words<4, kOwnRows>(args, row, panel);
    for (; row < end; ++row) tile_of_words<1, kOwnRows>(args, row, panel);
  }
}

template <bool kOwnRows>
void run(const IgemmArgs& args) {
  CutPanel memory;
  const size_t blocks = (args.rows + kBlockRows - 1) / kBlockRows, fours = (args.rows + 3) / 4;
  for (size_t block = 0; block < blocks; ++block) {
    const size_t row = fours * block / blocks * 4, end = fours * (block + 1) / blocks * 4;
    for (size_t panel = 0; panel * 16 < args.columns; ++panel) {
      run_panel<kOwnRows>(args, row, end < args.rows ? end : args.rows, panel, memory);
    }
  }
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
