#pragma once

#include "torquant/graph/program.h"

namespace torquant {

// Gives each part of a tensor an operator of its own, so that the parts can be quantized as what they are, moved
// values: chunk, split and split_with_sizes become slices, unbind becomes selects.
//
//   %a, %b = aten.chunk.default(self=%x, chunks=2, dim=1)   ⇒   %a = aten.slice.Tensor(self=%x, dim=1, start=0, end=29)
//                                                               %b = aten.slice.Tensor(self=%x, dim=1, start=29,
//                                                               end=58)
//
// Where the sizes of the parts are known; else the node stays.
void splits_to_slices(Program& program);

}  // namespace torquant
