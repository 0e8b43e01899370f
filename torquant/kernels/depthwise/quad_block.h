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

// Few channels fill a vector with segments of the image, side by side: Vec::kSegments of them, kChannels bytes each.
// One image is then as wide as a segment; segments may overlap.
struct Segments {
  size_t input[4], output[4];  // bytes from the first segment to each
};

// A block of channels, Vec::kChannels or fewer.
template <class Vec>
struct QuadBlock {
  const DepthwiseArgs& args;
  const QuadPlan& plan;
  size_t channel, channels, padded_channels;  // the first one, and how many
  const ptrdiff_t* taps;                      // [quads][outputs][4]: list_taps
  Segments segments;                          // of a Vec that has more than one

  // In the scratch memory:
  uint8_t* weights;       // [2][quads][2][outputs] of Vec::kWeightBytes: group 2 * i + k is at [i][..][k]
  int32_t* start;         // [4][Vec::kLanes]
  float* multiplier;      // [4][Vec::kLanes]
  float* offset;          // [4][Vec::kLanes]
  const uint8_t** table;  // [quads]: first quad of the strip, of each of the window
  uint8_t* ring;          // [rows][ring_columns] of quads

  static constexpr size_t kQuadBytes = 4 * Vec::kBytes;
};

template <class Vec>
uint8_t* output_at(const QuadBlock<Vec>& block, size_t y, size_t x) {
  const DepthwiseArgs& args = block.args;
  return args.output + y * args.output_row_step + x * args.output_pixel_step + block.channel;
}

// Null without a residual.
template <class Vec>
const uint8_t* residual_at(const QuadBlock<Vec>& block, size_t y, size_t x) {
  const DepthwiseArgs& args = block.args;
  if (args.residual == nullptr) return nullptr;
  return args.residual + y * args.residual_row_step + x * args.residual_pixel_step + block.channel;
}

// Codes of a pixel, of one in each segment, as Vec::dot takes them.
template <class Vec>
inline __attribute__((always_inline)) typename Vec::Codes load_codes(const QuadBlock<Vec>& block, const uint8_t* from) {
  if constexpr (Vec::kSegments == 1) {
    return Vec::load_codes(from);
  } else {
    return Vec::load_segments(from, block.segments.input);
  }
}

// The block's channels of a pixel, of one in each segment.
template <class Vec>
inline __attribute__((always_inline)) void store_codes(const QuadBlock<Vec>& block, typename Vec::Codes codes,
                                                       uint8_t* to) {
  if constexpr (Vec::kSegments > 1) {
    Vec::store_segments(to, block.segments.output, codes, block.channels);
  } else if (block.channels == Vec::kBytes) {
    Vec::store_unaligned(to, codes);
  } else {
    Vec::store_first(to, codes, block.channels);
  }
}

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
  static_assert(sizeof(T) == 4);
  for (size_t four = 0; four < Vec::kBytes; four += 4) {
    T* to = ordered + four % 16 / 4 * Vec::kLanes + four / 16 * 4;
    if (four % Vec::kChannels < block.padded_channels) {
      __builtin_memcpy(to, values + block.channel + four % Vec::kChannels, 16);
    } else {
      __builtin_memset(to, 0, 16);
    }
  }
}

template <class Vec>
void prepare(const QuadBlock<Vec>& block) {
  const DepthwiseArgs& args = block.args;
  const QuadPlan& plan = block.plan;
  order_as_groups(block, args.start, block.start);
  order_as_groups(block, args.multiplier, block.multiplier);
  order_as_groups(block, args.offset, block.offset);
  const ptrdiff_t* taps = block.taps;
  for (size_t quad = 0; quad < plan.quads; ++quad) {
    for (size_t output = 0; output < plan.outputs; ++output, taps += 4) {
      typename Vec::Codes codes[4];
      for (size_t i = 0; i < 4; ++i) {
        codes[i] = taps[i] < 0
                       ? Vec::zero()
                       : Vec::load_first(args.weights + static_cast<size_t>(taps[i]) * args.weight_step + block.channel,
                                         block.padded_channels);
      }
      const Quad<Vec> weights = interleave<Vec>(codes[0], codes[1], codes[2], codes[3]);
      for (size_t g = 0; g < 4; ++g) {
        const size_t to = ((g / 2 * plan.quads + quad) * 2 + g % 2) * plan.outputs + output;
        Vec::store_weights(block.weights + to * Vec::kWeightBytes, weights.group[g]);
      }
    }
  }
}

// K3 of group kGroup, unclamped, as 32-bit steps.
template <class Vec, size_t kGroup>
inline __attribute__((always_inline)) auto to_steps(const QuadBlock<Vec>& block, typename Vec::Codes acc) {
  constexpr size_t kFirst = kGroup * Vec::kLanes;
  return Vec::round(
      Vec::multiply_add(acc, Vec::load_floats(block.multiplier + kFirst), Vec::load_floats(block.offset + kFirst)));
}

// The same with a residual.
template <class Vec, size_t kGroup>
inline __attribute__((always_inline)) auto to_steps(const QuadBlock<Vec>& block, typename Vec::Codes acc,
                                                    const uint8_t* residual) {
  constexpr size_t kFirst = kGroup * Vec::kLanes;
  const auto codes = Vec::load_first(residual, block.channels), zero = Vec::zero();
  const auto words = kGroup < 2 ? Vec::zip_low8(codes, zero) : Vec::zip_high8(codes, zero);
  const auto integers = kGroup % 2 == 0 ? Vec::zip_low16(words, zero) : Vec::zip_high16(words, zero);
  const auto rest = Vec::multiply_add(integers, Vec::broadcast(block.args.residual_multiplier),
                                      Vec::load_floats(block.offset + kFirst));
  return Vec::round(Vec::multiply_add(acc, Vec::load_floats(block.multiplier + kFirst), rest));
}

// Codes of 16-bit steps: of groups 0 and 1, and of 2 and 3.
template <class Vec>
inline __attribute__((always_inline)) auto to_codes(const QuadBlock<Vec>& block, typename Vec::Codes low,
                                                    typename Vec::Codes high) {
  const auto codes = Vec::words_to_codes(low, high);
  if (block.args.lo == 0 && block.args.hi == 255) return codes;  // the packs saturate
  return Vec::clamp(codes, block.args.lo, block.args.hi);
}

}  // namespace torquant
