#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "torquant/core/dtype.h"
#include "torquant/primitives/affine.h"

// The operators of converted graphs, quantized_decomposed::*, as C++ functions: same names, arguments and results as
// in torch/ao/quantization/fx/_decomposed.py, bit for bit (docs/semantics.md, Q10, Q11, Q14). One pass over the
// elements, no temporaries; results keep the input's strides. The operators themselves are registered on load.

namespace torquant::decomposed {

// scale: positive and finite. input: float32, float16 or bfloat16, computed in float32.
at::Tensor quantize_per_tensor(const at::Tensor& input, double scale, int64_t zero_point, QuantRange range,
                               c10::ScalarType dtype);
at::Tensor dequantize_per_tensor(const at::Tensor& codes, double scale, int64_t zero_point, c10::ScalarType dtype,
                                 c10::ScalarType out_dtype = c10::ScalarType::Float);

// qparams: one scale and zero point an index of `axis`.
at::Tensor quantize_per_channel(const at::Tensor& input, const ScaleAndZeroPoint& qparams, int64_t axis,
                                QuantRange range, c10::ScalarType dtype);
// An undefined zero point means 0.
at::Tensor dequantize_per_channel(const at::Tensor& codes, const ScaleAndZeroPoint& qparams, int64_t axis,
                                  c10::ScalarType dtype, c10::ScalarType out_dtype = c10::ScalarType::Float);
// Differentiable with respect to the input. float32.
at::Tensor fake_quant_per_channel(const at::Tensor& input, const ScaleAndZeroPoint& qparams, int64_t axis,
                                  QuantRange range);

// The observers' rule on the whole tensor; float64 scale and int64 zero point of shape [1].
ScaleAndZeroPoint choose_qparams(const at::Tensor& input, QuantRange range, double eps, c10::ScalarType dtype,
                                 bool symmetric);

// A token: the elements along the last axis. Results have its extent 1.
ScaleAndZeroPoint choose_qparams_per_token(const at::Tensor& input, c10::ScalarType dtype);
ScaleAndZeroPoint choose_qparams_per_token_asymmetric(const at::Tensor& input);
at::Tensor quantize_per_token(const at::Tensor& input, const ScaleAndZeroPoint& qparams, QuantRange range,
                              c10::ScalarType dtype);
at::Tensor dequantize_per_token(const at::Tensor& codes, const ScaleAndZeroPoint& qparams, c10::ScalarType out_dtype);

// Groups of `group_size` along the second axis of a matrix. A group size above the number of columns with one scale a
// row means the whole row.
at::Tensor quantize_per_channel_group(const at::Tensor& input, const ScaleAndZeroPoint& qparams, QuantRange range,
                                      c10::ScalarType dtype, int64_t group_size);
at::Tensor dequantize_per_channel_group(const at::Tensor& codes, const ScaleAndZeroPoint& qparams, int64_t group_size,
                                        c10::ScalarType out_dtype);

// The rows of a quantized table: weight [rows, cols] int8 or uint8, scales [rows] or [rows, groups].
at::Tensor embedding_byte(const at::Tensor& weight, const ScaleAndZeroPoint& qparams, const at::Tensor& indices,
                          c10::ScalarType out_dtype);

}  // namespace torquant::decomposed
