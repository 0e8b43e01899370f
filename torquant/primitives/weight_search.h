#pragma once

#include <ATen/core/Tensor.h>

#include "torquant/core/dtype.h"

// Choosers that search for scales and return codes with them, for weights (docs/semantics.md, Q24 to Q27).

namespace torquant {

struct HqqOptions {
  int64_t bits = 4;
  int64_t group_size = 64;
  bool optimize = true;
  int64_t axis = 1;  // groups along rows of [-1, group_size], or along columns of [group_size, -1] (axis 0)
  c10::ScalarType compute_dtype = c10::ScalarType::Half;  // of the scale and zero point returned
  bool raw_output = false;  // the zero point as HQQ's own library has it, (code - zero_point) * scale
};

// codes: uint8 of the weight's shape. scale, zero_point: [groups, 1] (axis 1) or [1, groups] (axis 0) in tinygemm's
// form, weight ≈ (code - mid) * scale + zero_point; raw_output: [rows, groups a row] or [groups a column, cols].
struct HqqQuantized {
  at::Tensor codes;
  at::Tensor scale;
  at::Tensor zero_point;
};
HqqQuantized choose_qparams_and_quantize_affine_hqq(const at::Tensor& weight, const HqqOptions& options);

// codes: int32; scale: [rows, cols / group_size] of the weight's dtype. weight: [rows, cols].
struct ScaleOnlyQuantized {
  at::Tensor codes;
  at::Tensor scale;
};
ScaleOnlyQuantized choose_qparams_and_quantize_scale_only_hqq(const at::Tensor& weight, at::IntArrayRef block_size,
                                                              QuantRange range, int64_t iterations = 20,
                                                              double early_stop = 1e-5);

struct SinqOptions {
  QuantRange range = {-8, 7};
  int64_t group_size = 64;
  int64_t iterations = 20;
  c10::ScalarType compute_dtype = c10::ScalarType::Half;
};

// codes: int8; row_scale: [rows, groups a row]; col_scale: [cols], one group's column scales repeated.
struct SinqQuantized {
  at::Tensor codes;
  at::Tensor row_scale;
  at::Tensor col_scale;
};
SinqQuantized choose_qparams_and_quantize_scale_only_sinq(const at::Tensor& weight, const SinqOptions& options);

// torchao's simulation of GGUF blocks; float32, [rows, cols] with cols a multiple of 256, uint4 only.
struct GgufTensors {
  at::Tensor super_block_scale_scale;  // [rows, cols / 256], or [rows] where cols is 256
  at::Tensor super_block_min_scale;
  at::Tensor quantized_block_scale;  // the same with one more axis, 256 / block
  at::Tensor quantized_block_min;
};
GgufTensors choose_qparams_gguf(const at::Tensor& weight, at::IntArrayRef block_size);
at::Tensor quantize_gguf(const at::Tensor& weight, at::IntArrayRef block_size, const GgufTensors& qparams);
at::Tensor dequantize_gguf(const at::Tensor& codes, at::IntArrayRef block_size, const GgufTensors& qparams);

}  // namespace torquant
