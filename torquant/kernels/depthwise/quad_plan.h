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

// Rows of quads are interleaved once, into a ring of rows, for a strip of columns at a time.
struct QuadPlan {
  QuadShape shape;
  size_t outputs;        // side by side, that the same quads serve: 1, or 2 where the stride is 1
  size_t rows, columns;  // quads of a window; gathered ones are one row
  size_t quads;          // rows * columns
  size_t column_step;    // quads between neighbours in a window: those of kRow overlap, each second one is taken
  size_t row_step;       // rows of quads, from the window of an output row to that of the next
  size_t new_rows;       // of a window that the one above it has not

  size_t strip;         // times `outputs`: width of a strip
  size_t ring_columns;  // quads of a row of the ring, which has `rows`

  // Where in the scratch memory these begin, for blocks of 64 channels. Weights come first.
  size_t constants, table, taps, ring;
  size_t scratch_bytes;
};

QuadPlan plan_quads(const DepthwiseArgs& args);

// Which tap (row-major in the kernel) multiplies which code of a quad, for each of the outputs that share it; -1 for
// none: [quads][outputs][4]. Behind it, for gathered quads, how many bytes a tap's pixel is from the first: [quads][4].
void list_taps(const DepthwiseArgs& args, const QuadPlan& plan, ptrdiff_t* taps);

}  // namespace torquant
