#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace torquant {

// A running range and how a batch moves it (docs/semantics.md, O5):
//   min + c * (batch.min - min), in the dtype of the data, with c rounded to it; the same for max.
// Where a batch saw nothing (min > max) the range stays, where the range saw nothing it becomes the batch's.
struct MovingRange {
  at::Tensor min;
  at::Tensor max;
};
MovingRange move_average(const MovingRange& range, const MovingRange& batch, double averaging_constant);

// `constant`, if it is above 0 and up to 1, and 1 for dynamic quantization; else throws Error in the name of `where`.
double checked_averaging_constant(const std::string& where, double constant, bool is_dynamic);

}  // namespace torquant
