#include "torquant/kernels/depthwise/quad_plan.h"

#include <algorithm>

namespace torquant {
namespace {

// A ring of a strip, with the weights, stays in 32 KiB of L1.
constexpr size_t kRingBytes = 20 << 10;
constexpr size_t kLeastStrip = 8;
constexpr size_t kQuadBytes = 256;  // of 64 channels

size_t divided_up(size_t size, size_t by) { return (size + by - 1) / by; }
size_t aligned(size_t bytes) { return divided_up(bytes, 64) * 64; }

QuadShape shape_for(const DepthwiseArgs& args) {
  const bool dilated = (args.kernel_height > 1 && args.dilation_height > 1) ||  //
                       (args.kernel_width > 1 && args.dilation_width > 1);
  if (dilated || args.stride_width > 2) return QuadShape::kGathered;
  if (args.stride_width == 1 || args.kernel_height == 1) return QuadShape::kRow;
  return args.stride_height == 2 ? QuadShape::kSquare : QuadShape::kGathered;
}

// Row and column of the kernel that multiply code `i` of a quad, for output 0 or 1 of those that share it.
struct Tap {
  size_t row, column;
};

Tap tap_at(const DepthwiseArgs& args, const QuadPlan& plan, size_t quad, size_t output, size_t i) {
  const size_t row = quad / plan.columns, column = quad % plan.columns;
  switch (plan.shape) {
    case QuadShape::kRow:
      return {row, column * 4 + i - output};  // wraps around, to none, where the first code is of output 0 alone
    case QuadShape::kSquare:
      return {row * 2 + i / 2, column * 2 + i % 2};
    case QuadShape::kGathered:
      return {(quad * 4 + i) / args.kernel_width, (quad * 4 + i) % args.kernel_width};
  }
  return {};
}

}  // namespace

QuadPlan plan_quads(const DepthwiseArgs& args) {
  QuadPlan plan{};
  plan.shape = shape_for(args);
  plan.outputs = 1;
  plan.rows = 1;
  plan.column_step = 1;
  plan.row_step = 1;
  switch (plan.shape) {
    case QuadShape::kRow:
      plan.outputs = args.stride_width == 1 ? 2 : 1;
      plan.rows = args.kernel_height;
      plan.columns = divided_up(args.kernel_width + plan.outputs - 1, 4);
      plan.column_step = 2;
      plan.row_step = args.stride_height;
      break;
    case QuadShape::kSquare:
      plan.rows = divided_up(args.kernel_height, 2);
      plan.columns = divided_up(args.kernel_width, 2);
      break;
    case QuadShape::kGathered:
      plan.columns = divided_up(args.kernel_height * args.kernel_width, 4);
      break;
  }
  plan.quads = plan.rows * plan.columns;

  plan.new_rows = std::min(plan.row_step, plan.rows);

  const size_t overlap = (plan.columns - 1) * plan.column_step;  // columns of quads that two strips need
  const size_t fitting = kRingBytes / (plan.rows * kQuadBytes);
  const size_t widest = std::max(kLeastStrip, fitting > overlap ? fitting - overlap : 0);
  const size_t width = divided_up(args.output_width, plan.outputs);
  plan.strip = divided_up(width, std::max<size_t>(1, divided_up(width, widest)));
  plan.ring_columns = plan.strip + overlap;

  plan.constants = plan.quads * plan.outputs * kQuadBytes;
  plan.table = plan.constants + 3 * kQuadBytes;
  plan.taps = plan.table + plan.quads * sizeof(const uint8_t*);
  plan.ring = aligned(plan.taps + plan.quads * 2 * 4 * sizeof(ptrdiff_t));
  const bool has_ring = plan.shape != QuadShape::kGathered;
  plan.scratch_bytes = plan.ring + (has_ring ? plan.rows * plan.ring_columns * kQuadBytes : 0);
  return plan;
}

void list_taps(const DepthwiseArgs& args, const QuadPlan& plan, ptrdiff_t* taps) {
  for (size_t quad = 0; quad < plan.quads; ++quad) {
    for (size_t output = 0; output < plan.outputs; ++output) {
      for (size_t i = 0; i < 4; ++i) {
        const Tap tap = tap_at(args, plan, quad, output, i);
        const bool is_there = tap.row < args.kernel_height && tap.column < args.kernel_width;
        *taps++ = is_there ? static_cast<ptrdiff_t>(tap.row * args.kernel_width + tap.column) : -1;
      }
    }
  }
  if (plan.shape != QuadShape::kGathered) return;
  for (size_t i = 0; i < plan.quads * 4; ++i) {
    // Zeros multiply what is read for a tap that is not there: the first one.
    const Tap tap = i < args.kernel_height * args.kernel_width ? tap_at(args, plan, i / 4, 0, i % 4) : Tap{};
    *taps++ = static_cast<ptrdiff_t>(tap.row * args.dilation_height * args.input_row_step +
                                     tap.column * args.dilation_width * args.input_pixel_step);
  }
}

}  // namespace torquant
