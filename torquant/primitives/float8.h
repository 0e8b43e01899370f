#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

// torchao's float8 primitives on tensors (docs/semantics.md, Q20 to Q22).

namespace torquant {

struct Float8ScaleOptions {
  c10::ScalarType float8_dtype = c10::ScalarType::Float8_e4m3fn;
  bool power_of_two = false;               // scales of dtype float8_e8m0fnu; returned as float32 like the others
  std::optional<double> hp_value_lb = {};  // the block's largest magnitude is clamped to these
  std::optional<double> hp_value_ub = {};
};

// float32, one scale a block, with an axis for each axis of the input.
at::Tensor choose_scale_float8(const at::Tensor& input, at::IntArrayRef block_size, const Float8ScaleOptions& options);

// `scale`: one element, or of the input's rank with extents that divide the input's.
at::Tensor quantize_affine_float8(const at::Tensor& input, const at::Tensor& scale, c10::ScalarType float8_dtype);
at::Tensor dequantize_affine_float8(const at::Tensor& codes, const at::Tensor& scale,
                                    c10::ScalarType output_dtype = c10::ScalarType::Float);

}  // namespace torquant
