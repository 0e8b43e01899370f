#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace torquant {

// The finite part of what an observer sees (docs/semantics.md, O3).

struct FiniteRange {
  at::Tensor values;      // x, or its finite elements, flat; undefined where there are none
  at::Tensor min, max;    // of them: [] in the dtype of x
  int64_t nonfinite = 0;  // elements left out
};
FiniteRange finite_range(const at::Tensor& x);

struct FiniteRangePerRow {
  at::Tensor min, max;  // [rows]; a row without finite elements has min = inf, max = -inf
  int64_t nonfinite = 0;
};
FiniteRangePerRow finite_range_per_row(const at::Tensor& x);  // x: [rows, n], n > 0

}  // namespace torquant
