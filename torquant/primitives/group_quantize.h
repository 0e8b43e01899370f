#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "torquant/primitives/affine.h"

// The recipes of torchao.quantization.utils: which chooser, range and floor the weights and activations of its
// configurations use. Weights are matrices [rows, cols], quantized in groups along cols.

namespace torquant {

struct GroupOptions {
  int64_t bits = 4;
  int64_t group_size = 128;  // above cols: the whole row
};

// Symmetric, range [-2^(bits-1), 2^(bits-1) - 1]; scale and zero point [rows, groups] of `precision`.
ScaleAndZeroPoint get_group_qparams_symmetric(const at::Tensor& weight, const GroupOptions& options,
                                              c10::ScalarType precision = c10::ScalarType::Float,
                                              MappingType mapping = MappingType::kSymmetric,
                                              std::optional<double> eps = {});

// int8 codes with those qparams. torchao clamps the codes to 4 bits whatever `bits` is, and so does this.
struct GroupQuantized {
  at::Tensor codes;
  ScaleAndZeroPoint qparams;
};
GroupQuantized group_quantize_tensor_symmetric(const at::Tensor& weight, const GroupOptions& options,
                                               c10::ScalarType precision = c10::ScalarType::Float,
                                               MappingType mapping = MappingType::kSymmetric);

// The domain of a groupwise weight's zero point: tinygemm's float, or integer.
enum class ZeroPointDomain : uint8_t { kFloat, kInt };

struct GroupwiseOptions {
  int64_t bits = 4;
  int64_t group_size = 128;
  ZeroPointDomain domain = ZeroPointDomain::kFloat;
  bool preserve_zero = false;  // kInt: extend the range to zero
};

// Asymmetric, range [0, 2^bits - 1], eps 1e-6; [rows, groups] of `dtype` (an integer zero point: int32).
ScaleAndZeroPoint get_groupwise_affine_qparams(const at::Tensor& weight, const GroupwiseOptions& options,
                                               c10::ScalarType dtype = c10::ScalarType::BFloat16,
                                               std::optional<double> eps = {});
// int32 codes, one an element.
at::Tensor groupwise_affine_quantize_tensor_from_qparams(const at::Tensor& weight, const ScaleAndZeroPoint& qparams,
                                                         const GroupwiseOptions& options);
at::Tensor groupwise_affine_dequantize_tensor_from_qparams(const at::Tensor& codes, const ScaleAndZeroPoint& qparams,
                                                           const GroupwiseOptions& options);

// Symmetric int8 in [-127, 127] by token, eps 1e-5; float16 gets float32 scales.
GroupQuantized quantize_activation_per_token_absmax(const at::Tensor& input);

// Asymmetric int8 by token, quantized and dequantized.
at::Tensor per_token_dynamic_quant(const at::Tensor& input, c10::ScalarType scale_dtype = c10::ScalarType::Float,
                                   c10::ScalarType zero_point_dtype = c10::ScalarType::Float,
                                   std::optional<double> eps = {});

// Symmetric by row of a matrix; int64 zero points.
GroupQuantized dynamically_quantize_per_channel(const at::Tensor& input, QuantRange range, c10::ScalarType dtype);

// The signal to quantization noise ratio in dB: 20 log10(|x| / |x - y|).
at::Tensor compute_error(const at::Tensor& x, const at::Tensor& y);

}  // namespace torquant
