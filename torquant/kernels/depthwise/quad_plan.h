#pragma once

#include <cstddef>

#include "torquant/kernels/depthwise/depthwise.h"

namespace torquant {

// The fast kernels multiply quads: four pixels, interleaved so that the four codes of a channel lie side by side, as
// one dot product of four takes them. A plan says which pixels make a quad and which quads make the window of an
// output.
enum class QuadShape : uint8_t {
  kRow,       // 1 x 4, at each even column: a window of stride 1 and its right neighbour share its quads
  kSquare,    // 2 x 2, at even rows and columns: no pixel is interleaved twice where both strides are 2
  kGathered,  // any four taps, interleaved anew for each output: for all other strides, and dilations
};

// Rows of quads are interleaved once, into a ring that holds those of one window, for a strip of columns at a time.
struct QuadPlan {
  QuadShape shape;
  size_t outputs;        // side by side, that the same quads serve: 1, or 2 where the stride is 1
  size_t rows, columns;  // quads of a window; gathered ones are one row
  size_t column_step;    // quads between neighbours in a window: those of kRow overlap, each second one is taken
  size_t row_step;       // rows of quads, from an output row to the next
  size_t strip;          // times `outputs`: width of a strip

  size_t quads;         // rows * columns
  size_t ring_columns;  // quads
  // Where in the scratch memory these begin, for blocks of 64 channels: [quads][outputs][256] weights come first.
  size_t constants, table, ring;
  size_t scratch_bytes;
};

QuadPlan plan_quads(const DepthwiseArgs& args);

// Which tap (row-major in the kernel) multiplies code `i` of quad `quad` of the window, for output 0 or 1 of those that
// share it; -1 for none.
ptrdiff_t tap_of(const DepthwiseArgs& args, const QuadPlan& plan, size_t quad, size_t output, size_t i);

}  // namespace torquant
