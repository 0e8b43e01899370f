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

// Puts the excess of one quad of 8 columns after another into windows.
class Windows {
 public:
  Windows(Excess& excess, size_t run_quads) : excess_(excess), run_quads_(run_quads) { excess.count = 0; }

  void begin_run(int32_t offset) {
    offset_ = offset;
    end_ = 0;
  }

  // Quad `quad` of the run. False where there is no room.
  bool add(size_t quad, __m256i excess) {
    alignas(32) int16_t weights[16];
    store(weights, excess);
    const __m256i none = _mm256_cmpeq_epi16(excess, _mm256_setzero_si256());
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(none), _mm256_extracti128_si256(none, 1));
    uint32_t pairs = static_cast<uint32_t>(_mm_movemask_epi8(bytes)) ^ 0xFFFF;
    for (; pairs != 0; pairs &= pairs - 1) {
      const auto pair = static_cast<size_t>(__builtin_ctz(pairs)), column = pair / 2;
      if ((quad >= end_ || used_[column] == 2) && !open(quad)) return false;
      const size_t at = excess_.count - 1, slot = column * 2 + used_[column]++;
      excess_.pick[at][slot * 2] = static_cast<uint8_t>((quad + kQuads - end_) * 4 + pair % 2 * 2);
      excess_.weight[at][slot] = weights[pair];
    }
    return true;
  }

 private:
  static constexpr size_t kQuads = 4;

  bool open(size_t quad) {
    if (excess_.count == kMostWindows) return false;
    const size_t begin = quad + kQuads > run_quads_ ? run_quads_ - kQuads : quad;
    __builtin_memset(excess_.pick[excess_.count], 0x80, 32);  // picks a zero
    __builtin_memset(excess_.weight[excess_.count], 0, 32);
    excess_.codes[excess_.count++] = offset_ + static_cast<int32_t>(begin * 4);
    __builtin_memset(used_, 0, sizeof used_);
    end_ = begin + kQuads;
    return true;
  }

  Excess& excess_;
  size_t run_quads_;
  int32_t offset_ = 0;
  size_t end_ = 0;  // of the last window, in quads of the run
  uint8_t used_[8] = {};
};

// False where a panel has too many quads or too much excess.
bool cut(const IgemmArgs& args, size_t panel, CutPanel& to) {
  if (args.run_quads < 4 || args.runs * args.run_quads > kMostQuads) return false;
  const int8_t* weights = args.weights + panel * args.runs * args.run_quads * 64;
  Windows windows[2] = {{to.halves[0], args.run_quads}, {to.halves[1], args.run_quads}};
  int8_t* cut = to.weights;
  for (size_t r = 0; r < args.runs; ++r, weights += args.run_quads * 64) {
    // Which quads have any is as good as random: they are counted first, without a branch.
    uint16_t quads[2][kMostQuads];
    size_t counts[2] = {0, 0};
    for (size_t q = 0; q < args.run_quads; ++q, cut += 64) {
#pragma GCC unroll 2
      for (size_t half = 0; half < 2; ++half) {
        const __m256i w = load(weights + q * 64 + half * 32), excess = excess_of(w);
        store(cut + half * 32, _mm256_sub_epi8(w, _mm256_and_si256(excess, _mm256_set1_epi16(0xFF))));
        quads[half][counts[half]] = static_cast<uint16_t>(q);
        counts[half] += _mm256_testz_si256(excess, excess) == 0 ? 1 : 0;
      }
    }
    for (size_t half = 0; half < 2; ++half) {
      windows[half].begin_run(args.run_offset[r]);
      for (size_t i = 0; i < counts[half]; ++i) {
        const size_t q = quads[half][i];
        if (!windows[half].add(q, excess_of(load(weights + q * 64 + half * 32)))) return false;
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
    if (row + 5 == end) {  // together, as one row takes half as long as four
      tile_of_pairs<5, kOwnRows>(args, row, panel, some);
      row += 5;
    }
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
    for (size_t panel = 0; panel * 16 < args.columns; ++panel)
      run_panel<kOwnRows>(args, row, end < args.rows ? end : args.rows, panel, memory);
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
