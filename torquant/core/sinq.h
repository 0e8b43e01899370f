#pragma once

#include <cstdint>
#include <span>

#include "torquant/core/dtype.h"

// Sinkhorn-normalised quantization (docs/semantics.md, Q26): columns and rows are divided by their standard deviations
// in turn until all are alike, then each row gets a symmetric scale. https://www.arxiv.org/abs/2509.22944

namespace torquant {

struct SinqArgs {
  int64_t rows = 0;  // groups
  int64_t cols = 0;  // group size
  QuantRange range = {-8, 7};
  int iterations = 20;
  DType compute = DType::kFloat16;  // every operation is rounded to this dtype
};

// weight: [rows, cols], rounded to `compute` already. weight ≈ code * row_scale[row] * col_scale[col].
void sinq_quantize(const SinqArgs& args, std::span<const float> weight, std::span<int8_t> codes,
                   std::span<float> row_scale, std::span<float> col_scale);

}  // namespace torquant
