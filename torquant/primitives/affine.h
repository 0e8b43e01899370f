#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>

#include "torquant/core/choose_qparams.h"
#include "torquant/core/dtype.h"
#include "torquant/core/quantize.h"

// torchao's quantization primitives on tensors: block-wise scale and zero point, codes, and back
// (docs/semantics.md, Q4 to Q17). Results are torchao's bit for bit for float32, bfloat16 and float16 inputs of any
// strides. `block_size` has an entry an axis; all ones gives each element its own scale.
// As dispatcher operators: torquant::choose_qparams_affine and so on.

namespace torquant {

struct ChooseQParamsOptions {
  QParamsRule rule = QParamsRule::kAffine;
  MappingType mapping = MappingType::kSymmetric;
  DType target = DType::kInt8;
  std::optional<int64_t> quant_min = {};  // default: the target's range
  std::optional<int64_t> quant_max = {};
  std::optional<double> eps = {};                        // default: the input dtype's smallest normal number
  std::optional<c10::ScalarType> scale_dtype = {};       // default: the input's
  std::optional<c10::ScalarType> zero_point_dtype = {};  // default: int32; tinygemm: the input's
  bool keepdim = false;                                  // one axis an input axis, else only those with blocks
};

struct ScaleAndZeroPoint {
  at::Tensor scale;
  at::Tensor zero_point;
};

ScaleAndZeroPoint choose_qparams_affine(const at::Tensor& input, at::IntArrayRef block_size,
                                        const ChooseQParamsOptions& options);

// From ranges known already (observers): `min` and `max` of one shape and dtype, which the results have too.
ScaleAndZeroPoint choose_qparams_affine_with_min_max(const at::Tensor& min, const at::Tensor& max,
                                                     const ChooseQParamsOptions& options);

struct CodeOptions {
  ZeroPointRule rule = ZeroPointRule::kAfterRounding;  // kFloat: tinygemm; kNone: no zero point
  DType dtype = DType::kInt8;                          // of the codes; below 8 bits they are stored in int8 or uint8
  std::optional<int64_t> quant_min = {};
  std::optional<int64_t> quant_max = {};
};

// zero_point: undefined exactly where the rule is kNone.
at::Tensor quantize_affine(const at::Tensor& input, at::IntArrayRef block_size, const ScaleAndZeroPoint& qparams,
                           const CodeOptions& options);

// The same under another name: `where` begins its messages.
at::Tensor quantize_blocks(const char* where, const at::Tensor& input, at::IntArrayRef block_size,
                           const ScaleAndZeroPoint& qparams, const CodeOptions& options);

// Here an undefined zero_point with the rule kAfterRounding means 0.
at::Tensor dequantize_affine(const at::Tensor& codes, at::IntArrayRef block_size, const ScaleAndZeroPoint& qparams,
                             const CodeOptions& options, c10::ScalarType output_dtype = c10::ScalarType::Float);

// Quantize and dequantize in one step, differentiable with respect to the input: straight through the rounding, zero
// where the code was clamped.
at::Tensor fake_quantize_affine(const at::Tensor& input, at::IntArrayRef block_size, const ScaleAndZeroPoint& qparams,
                                const CodeOptions& options);

// The same with torchao's mask, which tests the codes after they were clamped and so is false for NaN alone.
std::tuple<at::Tensor, at::Tensor> fake_quantize_affine_cachemask(const at::Tensor& input, at::IntArrayRef block_size,
                                                                  const ScaleAndZeroPoint& qparams,
                                                                  const CodeOptions& options);

}  // namespace torquant
