#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/depthwise/quad_plan.h"

// The loops of the fast kernels, over a vector type `Vec` that a file of an instruction set defines, in an anonymous
// namespace: all that is made of these templates is internal to that file (tests/kernels/weak_symbols_test.py).
//
// Four vectors of codes p0 to p3, one a pixel, become a quad of four vectors, its groups. In each lane of 128 bits:
// group g has p0, p1, p2, p3 of channels 4g to 4g + 3. Weights are interleaved by the same instructions, so orders
// match, and the packs of 32-bit sums to 16 and to 8 bits restore the order of the channels.

namespace torquant {

// A block of channels, as many as Vec has bytes or fewer.
template <class Vec>
struct QuadBlock {
  const DepthwiseArgs& args;
  const QuadPlan& plan;
  size_t channel, channels;

  // In the scratch memory. Groups 0 and 1 are the first half, 2 and 3 the second: registers hold the sums of one.
  uint8_t* weights;       // [2][quads][2][outputs] of Vec::Weights
  int32_t* start;         // [4][Vec::kLanes]
  float* multiplier;      // [4][Vec::kLanes]
  float* offset;          // [4][Vec::kLanes]
  const uint8_t** table;  // [quads]: first quad of the strip, of each of the window
  uint8_t* ring;          // [rows][ring_columns] of quads

  static constexpr size_t kQuadBytes = 4 * Vec::kBytes;
};

template <class Vec>
struct Quad {
  typename Vec::Codes group[4];
};

template <class Vec>
inline __attribute__((always_inline)) Quad<Vec> interleave(typename Vec::Codes p0, typename Vec::Codes p1,
                                                           typename Vec::Codes p2, typename Vec::Codes p3) {
  const auto low01 = Vec::zip_low8(p0, p1), high01 = Vec::zip_high8(p0, p1);
  const auto low23 = Vec::zip_low8(p2, p3), high23 = Vec::zip_high8(p2, p3);
  return {{Vec::zip_low16(low01, low23), Vec::zip_high16(low01, low23), Vec::zip_low16(high01, high23),
           Vec::zip_high16(high01, high23)}};
}

// Orders 32-bit values of the block's channels as the groups are; zeros behind the last channel.
template <class Vec, class T>
void order_as_groups(const QuadBlock<Vec>& block, const T* values, T* ordered) {
  const size_t padded = (block.channels + 15) / 16 * 16;
  for (size_t c = 0; c < Vec::kBytes; ++c) {
    const size_t to = c % 16 / 4 * Vec::kLanes + c / 16 * 4 + c % 4;
    ordered[to] = c < padded ? values[block.channel + c] : T{0};
  }
}

template <class Vec>
void prepare(const QuadBlock<Vec>& block) {
  const DepthwiseArgs& args = block.args;
  const QuadPlan& plan = block.plan;
  order_as_groups(block, args.start, block.start);
  order_as_groups(block, args.multiplier, block.multiplier);
  order_as_groups(block, args.offset, block.offset);
  const size_t padded = (block.channels + 15) / 16 * 16;
  for (size_t quad = 0; quad < plan.quads; ++quad) {
    for (size_t output = 0; output < plan.outputs; ++output) {
      typename Vec::Codes tap[4];
      for (size_t i = 0; i < 4; ++i) {
        const ptrdiff_t t = tap_of(args, plan, quad, output, i);
        tap[i] =
            t < 0 ? Vec::zero()
                  : Vec::load_first(args.weights + static_cast<size_t>(t) * args.weight_step + block.channel, padded);
      }
      const Quad<Vec> weights = interleave<Vec>(tap[0], tap[1], tap[2], tap[3]);
      for (size_t g = 0; g < 4; ++g) {
        const size_t to = ((g / 2 * plan.quads + quad) * 2 + g % 2) * plan.outputs + output;
        Vec::store_weights(block.weights + to * Vec::kWeightBytes, weights.group[g]);
      }
    }
  }
}

// R3 of the two groups of a half, as 16-bit steps.
template <class Vec, size_t kHalf>
inline __attribute__((always_inline)) typename Vec::Codes to_words(const QuadBlock<Vec>& block,
                                                                   typename Vec::Codes acc0, typename Vec::Codes acc1,
                                                                   const uint8_t* residual) {
  constexpr size_t kFirst = kHalf * 2 * Vec::kLanes;
  auto rest0 = Vec::load_floats(block.offset + kFirst), rest1 = Vec::load_floats(block.offset + kFirst + Vec::kLanes);
  if (residual != nullptr) {
    const auto codes = Vec::load_first(residual, block.channels), zero = Vec::zero();
    const auto words = kHalf == 0 ? Vec::zip_low8(codes, zero) : Vec::zip_high8(codes, zero);
    const auto multiplier = Vec::broadcast(block.args.residual_multiplier);
    rest0 = Vec::multiply_add(Vec::zip_low16(words, zero), multiplier, rest0);
    rest1 = Vec::multiply_add(Vec::zip_high16(words, zero), multiplier, rest1);
  }
  const auto steps0 = Vec::multiply_add(acc0, Vec::load_floats(block.multiplier + kFirst), rest0);
  const auto steps1 = Vec::multiply_add(acc1, Vec::load_floats(block.multiplier + kFirst + Vec::kLanes), rest1);
  return Vec::round_to_words(steps0, steps1);
}

template <class Vec>
inline __attribute__((always_inline)) void store(const QuadBlock<Vec>& block, typename Vec::Codes low,
                                                 typename Vec::Codes high, uint8_t* output) {
  Vec::store_first(output, Vec::clamp(Vec::words_to_codes(low, high), block.args.lo, block.args.hi), block.channels);
}

// Sums of half of the channels: kPositions places of the strip from `position` on, kOutputs outputs at each.
template <class Vec, size_t kOutputs, size_t kPositions, size_t kHalf>
inline __attribute__((always_inline)) void half_tile(const QuadBlock<Vec>& block, size_t position, size_t valid,
                                                     const uint8_t* residual,
                                                     typename Vec::Codes (&words)[kPositions * kOutputs]) {
  typename Vec::Codes acc[2][kPositions][kOutputs];
#pragma GCC unroll 2
  for (size_t g = 0; g < 2; ++g) {
    const auto start = Vec::load(block.start + (kHalf * 2 + g) * Vec::kLanes);
#pragma GCC unroll 8
    for (size_t p = 0; p < kPositions; ++p) {
#pragma GCC unroll 2
      for (size_t v = 0; v < kOutputs; ++v) acc[g][p][v] = start;
    }
  }
  const size_t quads = block.plan.quads;
  const uint8_t* weights = block.weights + kHalf * quads * 2 * kOutputs * Vec::kWeightBytes;
  const size_t at = position * block.kQuadBytes + kHalf * 2 * Vec::kBytes;
  for (size_t q = 0; q < quads; ++q, weights += 2 * kOutputs * Vec::kWeightBytes) {
    const uint8_t* quad = block.table[q] + at;
#pragma GCC unroll 2
    for (size_t g = 0; g < 2; ++g) {
#pragma GCC unroll 8
      for (size_t p = 0; p < kPositions; ++p) {
        const auto factors = Vec::factors(Vec::load(quad + p * block.kQuadBytes + g * Vec::kBytes));
#pragma GCC unroll 2
        for (size_t v = 0; v < kOutputs; ++v) {
          acc[g][p][v] = Vec::dot(acc[g][p][v], factors, weights + (g * kOutputs + v) * Vec::kWeightBytes);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (size_t p = 0; p < kPositions; ++p) {
#pragma GCC unroll 2
    for (size_t v = 0; v < kOutputs; ++v) {
      const size_t x = p * kOutputs + v;
      const bool adds = residual != nullptr && x < valid;
      words[x] = to_words<Vec, kHalf>(block, acc[0][p][v], acc[1][p][v],
                                      adds ? residual + x * block.args.residual_pixel_step : nullptr);
    }
  }
}

// The first `valid` of kPositions * kOutputs outputs exist.
template <class Vec, size_t kOutputs, size_t kPositions>
__attribute__((noinline)) void tile(const QuadBlock<Vec>& block, size_t position, size_t valid, const uint8_t* residual,
                                    uint8_t* output) {
  typename Vec::Codes low[kPositions * kOutputs], high[kPositions * kOutputs];
  half_tile<Vec, kOutputs, kPositions, 0>(block, position, valid, residual, low);
  half_tile<Vec, kOutputs, kPositions, 1>(block, position, valid, residual, high);
#pragma GCC unroll 8
  for (size_t x = 0; x < kPositions * kOutputs; ++x) {
    if (x < valid) store(block, low[x], high[x], output + x * block.args.output_pixel_step);
  }
}

template <class Vec>
using Tile = void (*)(const QuadBlock<Vec>&, size_t, size_t, const uint8_t*, uint8_t*);

// A strip of an output row: positions [0, positions), `valid` outputs. Tiles of nearly equal width, as in igemm.
template <class Vec, size_t kOutputs>
void strip_of_row(const QuadBlock<Vec>& block, size_t positions, size_t valid, const uint8_t* residual,
                  uint8_t* output) {
  constexpr size_t kMost = Vec::kSums / 2 / kOutputs;
  static_assert(kMost == 2 || kMost == 4 || kMost == 8);
  constexpr Tile<Vec> kTiles[] = {
      tile<Vec, kOutputs, 1>,
      tile<Vec, kOutputs, 2>,
      tile < Vec,
      kOutputs,
      kMost < 3 ? kMost : 3 >,
      tile < Vec,
      kOutputs,
      kMost < 4 ? kMost : 4 >,
      tile < Vec,
      kOutputs,
      kMost < 5 ? kMost : 5 >,
      tile < Vec,
      kOutputs,
      kMost < 6 ? kMost : 6 >
      , tile < Vec, kOutputs, kMost < 7 ? kMost : 7 >, tile<Vec, kOutputs, kMost>,
  };
  const size_t tiles = (positions + kMost - 1) / kMost;
  for (size_t t = 0; t < tiles; ++t) {
    const size_t position = positions * t / tiles, end = positions * (t + 1) / tiles, x = position * kOutputs;
    kTiles[end - position - 1](block, position, valid - x,
                               residual == nullptr ? nullptr : residual + x * block.args.residual_pixel_step,
                               output + x * block.args.output_pixel_step);
  }
}

// A row of quads, of the pixels at even columns and their neighbours; columns behind the last one that is there are
// replaced by it, as no weight multiplies them.
template <class Vec>
void interleave_row(const QuadBlock<Vec>& block, size_t row, size_t first_column, uint8_t* to) {
  const DepthwiseArgs& args = block.args;
  const size_t last_row = (args.output_height - 1) * args.stride_height + args.kernel_height - 1;
  const auto last_column =
      static_cast<ptrdiff_t>((args.output_width - 1) * args.stride_width + args.kernel_width - 1 - first_column);
  const auto step = static_cast<ptrdiff_t>(args.input_pixel_step);
  const uint8_t* origin = args.input + block.channel + first_column * args.input_pixel_step;
  const auto pixel = [&](const uint8_t* from, ptrdiff_t column) {
    return Vec::load(from + (column < last_column ? column : last_column) * step);
  };
  const auto store_quad = [&](const Quad<Vec>& quad) {
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; ++g, to += Vec::kBytes) Vec::store(to, quad.group[g]);
  };
  const auto end = static_cast<ptrdiff_t>(block.plan.ring_columns * 2);
  if (block.plan.shape == QuadShape::kSquare) {
    const uint8_t* above = origin + row * 2 * args.input_row_step;
    const uint8_t* below = row * 2 < last_row ? above + args.input_row_step : above;
    for (ptrdiff_t x = 0; x < end; x += 2) {
      store_quad(interleave<Vec>(pixel(above, x), pixel(above, x + 1), pixel(below, x), pixel(below, x + 1)));
    }
  } else {
    const uint8_t* from = origin + row * args.input_row_step;
    for (ptrdiff_t x = 0; x < end; x += 2) {
      store_quad(interleave<Vec>(pixel(from, x), pixel(from, x + 1), pixel(from, x + 2), pixel(from, x + 3)));
    }
  }
}

template <class Vec>
void from_ring(const QuadBlock<Vec>& block) {
  const DepthwiseArgs& args = block.args;
  const QuadPlan& plan = block.plan;
  const size_t ring_row_bytes = plan.ring_columns * block.kQuadBytes;
  for (size_t x = 0; x < args.output_width; x += plan.strip * plan.outputs) {
    const size_t left = args.output_width - x;
    const size_t valid = left < plan.strip * plan.outputs ? left : plan.strip * plan.outputs;
    const size_t positions = (valid + plan.outputs - 1) / plan.outputs;
    const size_t first_column = x * args.stride_width;
    size_t next = 0;  // row of quads to interleave
    for (size_t y = 0; y < args.output_height; ++y) {
      const size_t first = y * plan.row_step;
      if (next < first) next = first;
      for (; next < first + plan.rows; ++next) {
        interleave_row(block, next, first_column, block.ring + next % plan.rows * ring_row_bytes);
      }
      for (size_t q = 0; q < plan.quads; ++q) {
        const size_t row = (first + q / plan.columns) % plan.rows, column = q % plan.columns * plan.column_step;
        block.table[q] = block.ring + row * ring_row_bytes + column * block.kQuadBytes;
      }
      const uint8_t* residual = args.residual == nullptr ? nullptr
                                                         : args.residual + y * args.residual_row_step +
                                                               x * args.residual_pixel_step + block.channel;
      uint8_t* output = args.output + y * args.output_row_step + x * args.output_pixel_step + block.channel;
      if (plan.outputs == 2) {
        strip_of_row<Vec, 2>(block, positions, valid, residual, output);
      } else {
        strip_of_row<Vec, 1>(block, positions, valid, residual, output);
      }
    }
  }
}

// One output at a time, its taps interleaved for it alone.
template <class Vec>
void gathered(const QuadBlock<Vec>& block, ptrdiff_t* tap_offset) {
  const DepthwiseArgs& args = block.args;
  const size_t quads = block.plan.quads;
  for (size_t i = 0; i < quads * 4; ++i) {
    const ptrdiff_t tap = tap_of(args, block.plan, i / 4, 0, i % 4);
    const size_t t = tap < 0 ? 0 : static_cast<size_t>(tap);  // weights of none are zero
    tap_offset[i] = static_cast<ptrdiff_t>(t / args.kernel_width * args.dilation_height * args.input_row_step +
                                           t % args.kernel_width * args.dilation_width * args.input_pixel_step);
  }
  for (size_t y = 0; y < args.output_height; ++y) {
    for (size_t x = 0; x < args.output_width; ++x) {
      const uint8_t* input = args.input + y * args.stride_height * args.input_row_step +
                             x * args.stride_width * args.input_pixel_step + block.channel;
      typename Vec::Codes acc[4];
#pragma GCC unroll 4
      for (size_t g = 0; g < 4; ++g) acc[g] = Vec::load(block.start + g * Vec::kLanes);
      for (size_t q = 0; q < quads; ++q) {
        const ptrdiff_t* tap = tap_offset + q * 4;
        const Quad<Vec> quad = interleave<Vec>(Vec::load(input + tap[0]), Vec::load(input + tap[1]),
                                               Vec::load(input + tap[2]), Vec::load(input + tap[3]));
#pragma GCC unroll 4
        for (size_t g = 0; g < 4; ++g) {
          const size_t at = (g / 2 * quads + q) * 2 + g % 2;
          acc[g] = Vec::dot(acc[g], Vec::factors(quad.group[g]), block.weights + at * Vec::kWeightBytes);
        }
      }
      const uint8_t* residual = args.residual == nullptr ? nullptr
                                                         : args.residual + y * args.residual_row_step +
                                                               x * args.residual_pixel_step + block.channel;
      store(block, to_words<Vec, 0>(block, acc[0], acc[1], residual), to_words<Vec, 1>(block, acc[2], acc[3], residual),
            args.output + y * args.output_row_step + x * args.output_pixel_step + block.channel);
    }
  }
}

template <class Vec>
void run_block(const DepthwiseArgs& args, const QuadPlan& plan, size_t channel) {
  const size_t left = args.channels - channel;
  float* constants = reinterpret_cast<float*>(args.scratch + plan.constants);
  const QuadBlock<Vec> block{.args = args,
                             .plan = plan,
                             .channel = channel,
                             .channels = left < Vec::kBytes ? left : Vec::kBytes,
                             .weights = args.scratch,
                             .start = reinterpret_cast<int32_t*>(constants + 2 * Vec::kBytes),
                             .multiplier = constants,
                             .offset = constants + Vec::kBytes,
                             .table = reinterpret_cast<const uint8_t**>(args.scratch + plan.table),
                             .ring = args.scratch + plan.ring};
  prepare(block);
  if (plan.shape == QuadShape::kGathered) {
    gathered(block, reinterpret_cast<ptrdiff_t*>(args.scratch + plan.table));
  } else {
    from_ring(block);
  }
}

}  // namespace torquant
