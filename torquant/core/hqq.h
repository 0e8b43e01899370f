#pragma once

#include <cstdint>
#include <span>

#include "torquant/core/dtype.h"

// Half-quadratic quantization (docs/semantics.md, Q24 and Q25), in float32.
// Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023.

namespace torquant {

struct HqqArgs {
  int bits = 4;
  int64_t rows = 0;
  int64_t cols = 0;
  bool groups_are_rows = true;      // a group is a row of the matrix, else a column
  bool optimize = true;             // the proximal search for the zero point; else the first guess
  DType compute = DType::kFloat32;  // without the search: the dtype that scale and zero are rounded to first
};

// weight: [rows, cols]. codes: the same. inv_scale and zero: one a group; weight ≈ (code - zero) / inv_scale.
void hqq_quantize(const HqqArgs& args, std::span<const float> weight, std::span<uint8_t> codes,
                  std::span<float> inv_scale, std::span<float> zero);

struct HqqScaleOnlyArgs {
  int64_t group_size = 0;
  QuantRange range = {-8, 7};
  int iterations = 20;
  double early_stop = 1e-5;  // relative change of the scales
};

// weight: consecutive groups; codes: the same; scale: one a group. weight ≈ scale * code.
void hqq_quantize_scale_only(const HqqScaleOnlyArgs& args, std::span<const float> weight, std::span<int32_t> codes,
                             std::span<float> scale);

}  // namespace torquant
