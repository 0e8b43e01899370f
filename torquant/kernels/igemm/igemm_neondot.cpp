#include <arm_neon.h>

#include "torquant/kernels/igemm/igemm_internal.h"

// sdot takes signed bytes alone (usdot, which takes codes as they are, came later, with i8mm). So codes lose 128, by
// one xor for 16 of them, and each column gets 128 * Σ weight back, summed once a panel. Sums wrap around: this is
// exact.
//
// Tiles of 5 rows x 16 columns: 20 sums, 5 vectors of codes, the constant of the xor, and 6 registers for weights on
// their way. 16 inputs take 80 sdot, 5 xor and 21 loads: 42.5 cycles where two vector instructions and two loads begin
// in one (Neoverse N1), 40 of them for products. A sixth row gains nothing there, and g++ 12 spills.

namespace torquant {
namespace {

#include "torquant/kernels/neon.inc"

TORQUANT_INLINE int8x16_t less_128(uint8x16_t codes) { return vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(128))); }

TORQUANT_INLINE uint8x16_t broadcast_quad(const uint8_t* codes) {
  uint32_t quad;
  __builtin_memcpy(&quad, codes, 4);
  return vreinterpretq_u8_u32(vdupq_n_u32(quad));
}

// start[n] + 128 * Σ weight[n], of the 16 columns of a panel.
TORQUANT_INLINE void start_of(const int32_t* start, const int8_t* weights, size_t quads, int32_t* corrected) {
  const int8x16_t negative = vdupq_n_s8(-128);  // 128 is no int8
  int32x4_t sum[4] = {};
  for (size_t q = 0; q < quads; ++q, weights += 64) {
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) sum[j] = vdotq_s32(sum[j], vld1q_s8(weights + j * 16), negative);
  }
  for (size_t j = 0; j < 4; ++j) vst1q_s32(corrected + j * 4, vsubq_s32(vld1q_s32(start + j * 4), sum[j]));
}

// Adds the products of quad kQuad of each row's 16 codes.
template <size_t kRows, int kQuad>
TORQUANT_INLINE void add_quad(int32x4_t (&acc)[kRows][4], const int8x16_t (&codes)[kRows], const int8_t* weights) {
#pragma GCC unroll 4
  for (size_t j = 0; j < 4; ++j) {
    const int8x16_t w = vld1q_s8(weights + j * 16);
#pragma GCC unroll 5
    for (size_t i = 0; i < kRows; ++i) acc[i][j] = vdotq_laneq_s32(acc[i][j], w, codes[i], kQuad);
  }
}

// Stores a row of a panel. kOwnRows: rows have grids of their own.
template <bool kOwnRows>
TORQUANT_INLINE void finish(const IgemmArgs& args, size_t row, size_t column, const int32x4_t (&acc)[4]) {
  const size_t columns = args.columns - column < 16 ? args.columns - column : 16;
  uint8_t* output = args.output + args.output_offset[row];
  float32x4x4_t steps;
#pragma GCC unroll 4
  for (size_t j = 0; j < 4; ++j) steps.val[j] = vld1q_f32(args.offset + column + j * 4);
  if (!kOwnRows && args.residual != nullptr) {
    uint8_t codes[16] = {};
    __builtin_memcpy(codes, args.residual + args.residual_offset[row] + column, columns);
    const float32x4x4_t residual = to_floats(vld1q_u8(codes));
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) steps.val[j] = vfmaq_n_f32(steps.val[j], residual.val[j], args.residual_multiplier);
  }
#pragma GCC unroll 4
  for (size_t j = 0; j < 4; ++j) {
    const float32x4_t multiplier = vld1q_f32(args.multiplier + column + j * 4);
    if constexpr (kOwnRows) {
      int32x4_t sum = acc[j];
      if (args.row_zero_point != nullptr) {
        sum = vmlsq_n_s32(sum, vld1q_s32(args.column_sum + column + j * 4), args.row_zero_point[row]);
      }
      steps.val[j] = vfmaq_n_f32(steps.val[j], vmulq_f32(vcvtq_f32_s32(sum), multiplier), args.row_scale[row]);
    } else {
      steps.val[j] = vfmaq_f32(steps.val[j], vcvtq_f32_s32(acc[j]), multiplier);
    }
  }
  if (kOwnRows || args.to_reals) {
    float all[16];
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) vst1q_f32(all + j * 4, steps.val[j]);
    __builtin_memcpy(output + column * sizeof(float), all, columns * sizeof(float));
    return;
  }
  const uint8x16_t codes = to_codes(steps, args.lo, args.hi);
  if (columns == 16) {
    vst1q_u8(output + column, codes);
  } else {
    uint8_t all[16];
    vst1q_u8(all, codes);
    __builtin_memcpy(output + column, all, columns);
  }
}

// kRows rows of a panel, from `start` on, which is the panel's.
template <size_t kRows, bool kOwnRows>
__attribute__((noinline)) void tile(const IgemmArgs& args, size_t row, size_t panel, const int32_t* start) {
  const int8_t* weights = args.weights + panel * args.runs * args.run_quads * 64;
  const uint8_t* input[kRows];
  int32x4_t acc[kRows][4];
#pragma GCC unroll 5
  for (size_t i = 0; i < kRows; ++i) {
    input[i] = args.input + args.input_offset[row + i];
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) acc[i][j] = vld1q_s32(start + j * 4);
  }
  for (size_t r = 0; r < args.runs; ++r) {
    ptrdiff_t at = args.run_offset[r];
    const ptrdiff_t end = at + static_cast<ptrdiff_t>(args.run_quads) * 4;
    int8x16_t codes[kRows];
    for (; at + 16 <= end; at += 16, weights += 256) {
#pragma GCC unroll 5
      for (size_t i = 0; i < kRows; ++i) codes[i] = less_128(vld1q_u8(input[i] + at));
      add_quad<kRows, 0>(acc, codes, weights);
      add_quad<kRows, 1>(acc, codes, weights + 64);
      add_quad<kRows, 2>(acc, codes, weights + 128);
      add_quad<kRows, 3>(acc, codes, weights + 192);
    }
    for (; at != end; at += 4, weights += 64) {
#pragma GCC unroll 5
      for (size_t i = 0; i < kRows; ++i) codes[i] = less_128(broadcast_quad(input[i] + at));
      add_quad<kRows, 0>(acc, codes, weights);
    }
  }
#pragma GCC unroll 5
  for (size_t i = 0; i < kRows; ++i) finish<kOwnRows>(args, row + i, panel * 16, acc[i]);
}

template <bool kOwnRows>
void run(const IgemmArgs& args) {
  constexpr void (*kTiles[])(const IgemmArgs&, size_t, size_t, const int32_t*) = {
      tile<1, kOwnRows>, tile<2, kOwnRows>, tile<3, kOwnRows>, tile<4, kOwnRows>, tile<5, kOwnRows>};
  const size_t panels = (args.columns + 15) / 16, quads = args.runs * args.run_quads;
  // Tiles of nearly equal height: 11 rows are 4, 4 and 3, not 5, 5 and 1.
  const size_t tiles = (args.rows + 4) / 5;
  for (size_t panel = 0; panel < panels; ++panel) {
    int32_t start[16];
    start_of(args.start + panel * 16, args.weights + panel * quads * 64, quads, start);
    for (size_t t = 0; t < tiles; ++t) {
      const size_t row = args.rows * t / tiles, rows = args.rows * (t + 1) / tiles - row;
      kTiles[rows - 1](args, row, panel, start);
    }
  }
}

}  // namespace

void igemm_u8s8_neondot(const IgemmArgs& args) {
  if (args.row_scale != nullptr) {
    run<true>(args);
  } else {
    run<false>(args);
  }
}

}  // namespace torquant
