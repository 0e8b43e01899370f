#pragma once

#include <optional>

#include "torquant/core/array.h"
#include "torquant/core/block_layout.h"

// Quantization to the eight-bit floats (docs/semantics.md, Q20 to Q22): a scale, no zero point, no rounding to
// integers.

namespace torquant {

struct ChooseScaleFloat8Args {
  DType float8 = DType::kFloat8E4M3FN;
  bool power_of_two = false;              // the scale as float8_e8m0fnu has it: 2^round(log2(scale))
  std::optional<double> min_absmax = {};  // the block's largest magnitude is clamped to these
  std::optional<double> max_absmax = {};
};

// scale: float32, [layout.num_blocks()]. There is no floor: a block of zeros has scale 0, its codes are NaN.
void choose_scale_float8(const ChooseScaleFloat8Args& args, const BlockLayout& layout, const ConstArray& input,
                         const Array& scale);

// codes of a float8 dtype; scale: float32.
void quantize_float8(const BlockLayout& layout, const ConstArray& input, const ConstArray& scale, const Array& codes);

void dequantize_float8(const BlockLayout& layout, const ConstArray& codes, const ConstArray& scale,
                       const Array& output);

}  // namespace torquant
