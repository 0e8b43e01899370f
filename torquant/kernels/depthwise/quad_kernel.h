#pragma once

#include "torquant/kernels/depthwise/quad_ring.h"

namespace torquant {

// One output at a time, its taps interleaved for it alone.
template <class Vec>
void run_gathered(const QuadBlock<Vec>& block) {
  const DepthwiseArgs& args = block.args;
  const size_t quads = block.plan.quads;
  for (size_t y = 0; y < args.output_height; ++y) {
    for (size_t x = 0; x < args.output_width; ++x) {
      const uint8_t* input = args.input + y * args.stride_height * args.input_row_step +
                             x * args.stride_width * args.input_pixel_step + block.channel;
      typename Vec::Codes acc[4];
#pragma GCC unroll 4
      for (size_t g = 0; g < 4; ++g) acc[g] = Vec::load(block.start + g * Vec::kLanes);
      for (size_t q = 0; q < quads; ++q) {
        const ptrdiff_t* tap = block.taps + (quads + q) * 4;  // bytes
        const Quad<Vec> quad = interleave<Vec>(load_codes(block, input + tap[0]), load_codes(block, input + tap[1]),
                                               load_codes(block, input + tap[2]), load_codes(block, input + tap[3]));
#pragma GCC unroll 4
        for (size_t g = 0; g < 4; ++g) {
          const size_t at = (g / 2 * quads + q) * 2 + g % 2;
          acc[g] = Vec::dot(acc[g], Vec::factors(quad.group[g]), block.weights + at * Vec::kWeightBytes);
        }
      }
      const uint8_t* residual = residual_at(block, y, x);
      if (residual == nullptr) {
        acc[0] = to_steps<Vec, 0>(block, acc[0]), acc[1] = to_steps<Vec, 1>(block, acc[1]);
        acc[2] = to_steps<Vec, 2>(block, acc[2]), acc[3] = to_steps<Vec, 3>(block, acc[3]);
      } else {
        acc[0] = to_steps<Vec, 0>(block, acc[0], residual), acc[1] = to_steps<Vec, 1>(block, acc[1], residual);
        acc[2] = to_steps<Vec, 2>(block, acc[2], residual), acc[3] = to_steps<Vec, 3>(block, acc[3], residual);
      }
      const auto codes = to_codes(block, Vec::steps_to_words(acc[0], acc[1]), Vec::steps_to_words(acc[2], acc[3]));
      store_codes(block, codes, output_at(block, y, x));
    }
  }
}

template <class Vec>
void run_block(const DepthwiseArgs& args, const QuadPlan& plan, size_t channel, const Segments& segments = {}) {
  const size_t left = args.channels - channel;
  float* constants = reinterpret_cast<float*>(args.scratch + plan.constants);
  const size_t channels = left < Vec::kChannels ? left : Vec::kChannels;
  const QuadBlock<Vec> block{.args = args,
                             .plan = plan,
                             .channel = channel,
                             .channels = channels,
                             .padded_channels = (channels + 15) / 16 * 16,
                             .taps = reinterpret_cast<const ptrdiff_t*>(args.scratch + plan.taps),
                             .segments = segments,
                             .weights = args.scratch,
                             .start = reinterpret_cast<int32_t*>(constants + 2 * Vec::kBytes),
                             .multiplier = constants,
                             .offset = constants + Vec::kBytes,
                             .table = reinterpret_cast<const uint8_t**>(args.scratch + plan.table),
                             .ring = args.scratch + plan.ring};
  prepare(block);
  if (plan.shape == QuadShape::kGathered) {
    run_gathered(block);
  } else {
    run_from_ring(block);
  }
}

}  // namespace torquant
