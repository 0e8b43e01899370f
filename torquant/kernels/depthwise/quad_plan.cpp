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

  const size_t overlap = (plan.columns - 1) * plan.column_step;  // columns of quads that two strips need
  const size_t fitting = kRingBytes / (plan.rows * kQuadBytes);
  const size_t widest = std::max(kLeastStrip, fitting > overlap ? fitting - overlap : 0);
  const size_t width = divided_up(args.output_width, plan.outputs);
  plan.strip = divided_up(width, std::max<size_t>(1, divided_up(width, widest)));
  plan.ring_columns = plan.strip + overlap;

  plan.constants = plan.quads * plan.outputs * kQuadBytes;
  plan.table = plan.constants + 3 * kQuadBytes;
  plan.ring = plan.table + aligned(plan.quads * 4 * sizeof(ptrdiff_t));
  const bool has_ring = plan.shape != QuadShape::kGathered;
  plan.scratch_bytes = plan.ring + (has_ring ? plan.rows * plan.ring_columns * kQuadBytes : 0);
  return plan;
}

ptrdiff_t tap_of(const DepthwiseArgs& args, const QuadPlan& plan, size_t quad, size_t output, size_t i) {
  size_t row = quad / plan.columns, column = quad % plan.columns;
  switch (plan.shape) {
    case QuadShape::kRow:
      column = column * 4 + i - output;  // wraps around, and is no column of the kernel, where no tap is
      break;
    case QuadShape::kSquare:
      row = row * 2 + i / 2;
      column = column * 2 + i % 2;
      break;
    case QuadShape::kGathered:
      row = (quad * 4 + i) / args.kernel_width;
      column = (quad * 4 + i) % args.kernel_width;
      break;
  }
  if (row >= args.kernel_height || column >= args.kernel_width) return -1;
  return static_cast<ptrdiff_t>(row * args.kernel_width + column);
}

}  // namespace torquant
