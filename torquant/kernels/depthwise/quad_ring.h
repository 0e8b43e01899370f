#pragma once

#include <utility>

#include "torquant/kernels/depthwise/quad_block.h"

// Convolutions whose windows take their quads from a ring of interleaved rows.

namespace torquant {

struct TilePlace {
  size_t position;  // in the strip
  size_t valid;     // outputs from there on; others are computed and not stored
  const uint8_t* residual;
  uint8_t* output;
};

// Adds the products of a row of quads where neighbours are one quad apart: each is read once for all kColumns outputs
// that have it in their window.
template <class Vec, size_t kPositions, size_t kColumns>
inline __attribute__((always_inline)) void add_row(const uint8_t* quads, const uint8_t* weights,
                                                   typename Vec::Codes (&acc)[2][kPositions]) {
#pragma GCC unroll 2
  for (size_t g = 0; g < 2; ++g) {
#pragma GCC unroll 10
    for (size_t p = 0; p < kPositions + kColumns - 1; ++p) {
      const auto factors = Vec::factors(Vec::load(quads + p * QuadBlock<Vec>::kQuadBytes + g * Vec::kBytes));
#pragma GCC unroll 3
      for (size_t c = 0; c < kColumns; ++c) {
        if (c > p || p - c >= kPositions) continue;
        acc[g][p - c] = Vec::dot(acc[g][p - c], factors, weights + (c * 2 + g) * Vec::kWeightBytes);
      }
    }
  }
}

// Words of two groups, half of the channels: kPositions places of the strip, kOutputs outputs at each.
template <class Vec, size_t kOutputs, size_t kPositions, size_t kGroup>
inline __attribute__((always_inline)) void half_tile(const QuadBlock<Vec>& block, const TilePlace& place,
                                                     typename Vec::Codes (&words)[kPositions * kOutputs]) {
  constexpr size_t kCount = kPositions * kOutputs;
  typename Vec::Codes acc[2][kCount];
#pragma GCC unroll 2
  for (size_t g = 0; g < 2; ++g) {
    const auto start = Vec::load(block.start + (kGroup + g) * Vec::kLanes);
#pragma GCC unroll 8
    for (size_t x = 0; x < kCount; ++x) acc[g][x] = start;
  }
  const size_t quads = block.plan.quads, at = place.position * block.kQuadBytes + kGroup * Vec::kBytes;
  const uint8_t* weights = block.weights + kGroup * quads * kOutputs * Vec::kWeightBytes;
  size_t q = 0;
  if constexpr (kOutputs == 1) {
    const size_t columns = block.plan.column_step == 1 ? block.plan.columns : 1;
    for (; columns == 2 && q < quads; q += 2, weights += 4 * Vec::kWeightBytes) {
      add_row<Vec, kPositions, 2>(block.table[q] + at, weights, acc);
    }
    for (; columns == 3 && q < quads; q += 3, weights += 6 * Vec::kWeightBytes) {
      add_row<Vec, kPositions, 3>(block.table[q] + at, weights, acc);
    }
  }
  for (; q < quads; ++q, weights += 2 * kOutputs * Vec::kWeightBytes) {
    const uint8_t* quad = block.table[q] + at;
#pragma GCC unroll 2
    for (size_t g = 0; g < 2; ++g) {
#pragma GCC unroll 8
      for (size_t p = 0; p < kPositions; ++p) {
        const auto factors = Vec::factors(Vec::load(quad + p * block.kQuadBytes + g * Vec::kBytes));
#pragma GCC unroll 2
        for (size_t v = 0; v < kOutputs; ++v) {
          auto& sum = acc[g][p * kOutputs + v];
          sum = Vec::dot(sum, factors, weights + (g * kOutputs + v) * Vec::kWeightBytes);
        }
      }
    }
  }
  if (place.residual == nullptr) {
#pragma GCC unroll 8
    for (size_t x = 0; x < kCount; ++x) {
      words[x] =
          Vec::steps_to_words(to_steps<Vec, kGroup>(block, acc[0][x]), to_steps<Vec, kGroup + 1>(block, acc[1][x]));
    }
  } else {
#pragma GCC unroll 8
    for (size_t x = 0; x < kCount; ++x) {
      // Of an output that does not exist, that of the first.
      const uint8_t* codes = place.residual + (x < place.valid ? x : 0) * block.args.residual_pixel_step;
      words[x] = Vec::steps_to_words(to_steps<Vec, kGroup>(block, acc[0][x], codes),
                                     to_steps<Vec, kGroup + 1>(block, acc[1][x], codes));
    }
  }
}

template <class Vec, size_t kOutputs, size_t kPositions>
__attribute__((noinline)) void tile(const QuadBlock<Vec>& block, const TilePlace& place) {
  typename Vec::Codes low[kPositions * kOutputs], high[kPositions * kOutputs];
  half_tile<Vec, kOutputs, kPositions, 0>(block, place, low);
  half_tile<Vec, kOutputs, kPositions, 2>(block, place, high);
  const size_t step = block.args.output_pixel_step;
#pragma GCC unroll 8
  for (size_t x = 0; x < kPositions * kOutputs; ++x) {
    if (x >= place.valid) return;
    store_codes(block, to_codes(block, low[x], high[x]), place.output + x * step);
  }
}

template <class Vec, size_t kOutputs, size_t... kIndex>
void run_tile(const QuadBlock<Vec>& block, const TilePlace& place, size_t positions, std::index_sequence<kIndex...>) {
  constexpr void (*kTiles[])(const QuadBlock<Vec>&, const TilePlace&) = {tile<Vec, kOutputs, kIndex + 1>...};
  kTiles[positions - 1](block, place);
}

// Interleaves a row of quads, of the pixels at even columns and their neighbours. Columns behind the last one that is
// there are replaced by it: no weight multiplies them.
template <class Vec>
void interleave_row(const QuadBlock<Vec>& block, size_t row, size_t first_column, size_t columns, uint8_t* ring_row) {
  const DepthwiseArgs& args = block.args;
  const size_t step = args.input_pixel_step;
  const size_t last = ((args.output_width - 1) * args.stride_width + args.kernel_width - 1) * step;
  const auto load = [&](const uint8_t* from, size_t at) { return load_codes(block, from + (at < last ? at : last)); };
  const auto store = [&](size_t i, typename Vec::Codes low01, typename Vec::Codes high01, typename Vec::Codes low23,
                         typename Vec::Codes high23) {
    uint8_t* to = ring_row + i * block.kQuadBytes;
    Vec::store(to, Vec::zip_low16(low01, low23));
    Vec::store(to + Vec::kBytes, Vec::zip_high16(low01, low23));
    Vec::store(to + 2 * Vec::kBytes, Vec::zip_low16(high01, high23));
    Vec::store(to + 3 * Vec::kBytes, Vec::zip_high16(high01, high23));
  };
  size_t at = first_column * step;
  if (block.plan.shape == QuadShape::kSquare) {
    const size_t last_row = (args.output_height - 1) * args.stride_height + args.kernel_height - 1;
    const uint8_t* above = args.input + row * 2 * args.input_row_step + block.channel;
    const uint8_t* below = row * 2 < last_row ? above + args.input_row_step : above;
    for (size_t i = 0; i < columns; ++i, at += 2 * step) {
      const auto p0 = load(above, at), p1 = load(above, at + step), p2 = load(below, at), p3 = load(below, at + step);
      store(i, Vec::zip_low8(p0, p1), Vec::zip_high8(p0, p1), Vec::zip_low8(p2, p3), Vec::zip_high8(p2, p3));
    }
  } else {
    const uint8_t* from = args.input + row * args.input_row_step + block.channel;
    const auto p0 = load(from, at), p1 = load(from, at + step);
    auto low01 = Vec::zip_low8(p0, p1), high01 = Vec::zip_high8(p0, p1);
    for (size_t i = 0; i < columns; ++i, at += 2 * step) {
      const auto p2 = load(from, at + 2 * step), p3 = load(from, at + 3 * step);
      const auto low23 = Vec::zip_low8(p2, p3), high23 = Vec::zip_high8(p2, p3);
      store(i, low01, high01, low23, high23);
      low01 = low23, high01 = high23;  // half of the next quad
    }
  }
}

// Outputs from column `x` on: `valid` of them, at most a strip.
template <class Vec, size_t kOutputs>
void run_strip(const QuadBlock<Vec>& block, size_t x, size_t valid) {
  constexpr size_t kMost = Vec::kTileOutputs / kOutputs;
  const DepthwiseArgs& args = block.args;
  const QuadPlan& plan = block.plan;
  const size_t positions = (valid + kOutputs - 1) / kOutputs, first_column = x * args.stride_width;
  const size_t columns = positions + (plan.columns - 1) * plan.column_step;
  // Tiles of nearly equal width, as those of igemm.
  const size_t tiles = (positions + kMost - 1) / kMost;
  // Row i of the window of output row y.
  const auto ring_row = [&](size_t y, size_t i) {
    return block.ring + (y * plan.new_rows + i) % plan.rows * plan.ring_columns * block.kQuadBytes;
  };
  for (size_t y = 0; y < args.output_height; ++y) {
    for (size_t i = y == 0 ? 0 : plan.rows - plan.new_rows; i < plan.rows; ++i) {
      interleave_row(block, y * plan.row_step + i, first_column, columns, ring_row(y, i));
    }
    const uint8_t** to = block.table;
    for (size_t i = 0; i < plan.rows; ++i) {
      const uint8_t* quads = ring_row(y, i);
      for (size_t j = 0; j < plan.columns; ++j) *to++ = quads + j * plan.column_step * block.kQuadBytes;
    }
    const uint8_t* residual = residual_at(block, y, x);
    uint8_t* output = output_at(block, y, x);
    for (size_t t = 0; t < tiles; ++t) {
      const size_t position = positions * t / tiles, end = positions * (t + 1) / tiles, column = position * kOutputs;
      const TilePlace place{
          .position = position,
          .valid = valid - column,
          .residual = residual == nullptr ? nullptr : residual + column * args.residual_pixel_step,
          .output = output + column * args.output_pixel_step,
      };
      run_tile<Vec, kOutputs>(block, place, end - position, std::make_index_sequence<kMost>());
    }
  }
}

template <class Vec>
void run_from_ring(const QuadBlock<Vec>& block) {
  const size_t strip = block.plan.strip * block.plan.outputs;
  for (size_t x = 0; x < block.args.output_width; x += strip) {
    const size_t left = block.args.output_width - x, valid = left < strip ? left : strip;
    if (block.plan.outputs == 2) {
      run_strip<Vec, 2>(block, x, valid);
    } else {
      run_strip<Vec, 1>(block, x, valid);
    }
  }
}

}  // namespace torquant
