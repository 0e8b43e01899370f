#include "torquant/primitives/group_quantize.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_norm.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "torquant/core/error.h"
#include "torquant/primitives/decomposed.h"
#include "torquant/primitives/tensors.h"

namespace torquant {
namespace {

// [1, group_size] of a matrix that the group size divides.
std::vector<int64_t> group_block(const char* where, const at::Tensor& weight, int64_t group_size, int64_t bits) {
  check_defined(where, "weight", weight);
  if (weight.dim() != 2) {
    throw Error({.where = where,
                 .what = fmt::format("a tensor of shape [{}]", fmt::join(weight.sizes(), ", ")),
                 .allowed = "rank 2"});
  }
  if (bits < 1 || bits > 8) {
    throw Error({.where = where, .what = fmt::format("{} bits", bits), .allowed = "1 to 8"});
  }
  const int64_t cols = weight.size(1);
  if (group_size > cols) group_size = cols;
  if (group_size <= 1 || cols % group_size != 0) {
    throw Error({.where = where,
                 .what = fmt::format("group_size {} of rows of {} elements", group_size, cols),
                 .allowed = fmt::format("divisors of {} above 1", cols)});
  }
  return {1, group_size};
}

std::vector<int64_t> token_block(const at::Tensor& input) {
  std::vector<int64_t> block(input.dim(), 1);
  if (!block.empty()) block.back() = input.size(-1);
  return block;
}

ScaleAndZeroPoint by_row(const ScaleAndZeroPoint& qparams, int64_t rows) {
  return {qparams.scale.reshape({rows, -1}), qparams.zero_point.reshape({rows, -1})};
}

CodeOptions groupwise_codes(const GroupwiseOptions& options) {
  return {.rule = options.domain == ZeroPointDomain::kFloat ? ZeroPointRule::kFloat : ZeroPointRule::kAfterRounding,
          .dtype = DType::kInt32,
          .quant_min = 0,
          .quant_max = (int64_t{1} << options.bits) - 1};
}

}  // namespace

ScaleAndZeroPoint get_group_qparams_symmetric(const at::Tensor& weight, const GroupOptions& options,
                                              c10::ScalarType precision, MappingType mapping,
                                              std::optional<double> eps) {
  const auto block = group_block("get_group_qparams_symmetric", weight, options.group_size, options.bits);
  const int64_t half = int64_t{1} << (options.bits - 1);
  return by_row(choose_qparams_affine(weight, block,
                                      {.mapping = mapping,
                                       .target = DType::kInt8,
                                       .quant_min = -half,
                                       .quant_max = half - 1,
                                       .eps = eps,
                                       .scale_dtype = precision,
                                       .zero_point_dtype = precision}),
                weight.size(0));
}

GroupQuantized group_quantize_tensor_symmetric(const at::Tensor& weight, const GroupOptions& options,
                                               c10::ScalarType precision, MappingType mapping) {
  const ScaleAndZeroPoint qparams = get_group_qparams_symmetric(weight, options, precision, mapping);
  const at::Tensor codes =
      decomposed::quantize_per_channel_group(weight, qparams, quant_range(DType::kInt4), at::kChar, options.group_size);
  return {codes, qparams};
}

ScaleAndZeroPoint get_groupwise_affine_qparams(const at::Tensor& weight, const GroupwiseOptions& options,
                                               c10::ScalarType dtype, std::optional<double> eps) {
  const auto block = group_block("get_groupwise_affine_qparams", weight, options.group_size, options.bits);
  const bool is_float = options.domain == ZeroPointDomain::kFloat;
  const auto without_zero = is_float ? QParamsRule::kTinygemm : QParamsRule::kDontPreserveZero;
  return by_row(choose_qparams_affine(weight, block,
                                      {.rule = options.preserve_zero ? QParamsRule::kAffine : without_zero,
                                       .mapping = MappingType::kAsymmetric,
                                       .target = DType::kInt32,
                                       .quant_min = 0,
                                       .quant_max = (int64_t{1} << options.bits) - 1,
                                       .eps = eps.value_or(1e-6),
                                       .scale_dtype = dtype,
                                       .zero_point_dtype = is_float ? dtype : at::kInt}),
                weight.size(0));
}

at::Tensor groupwise_affine_quantize_tensor_from_qparams(const at::Tensor& weight, const ScaleAndZeroPoint& qparams,
                                                         const GroupwiseOptions& options) {
  const auto block =
      group_block("groupwise_affine_quantize_tensor_from_qparams", weight, options.group_size, options.bits);
  return quantize_affine(weight, block, qparams, groupwise_codes(options));
}

at::Tensor groupwise_affine_dequantize_tensor_from_qparams(const at::Tensor& codes, const ScaleAndZeroPoint& qparams,
                                                           const GroupwiseOptions& options) {
  constexpr const char* kName = "groupwise_affine_dequantize_tensor_from_qparams";
  const auto block = group_block(kName, codes, options.group_size, options.bits);
  check_floating(kName, "scales", qparams.scale);
  return dequantize_affine(codes, block, qparams, groupwise_codes(options), qparams.scale.scalar_type());
}

GroupQuantized quantize_activation_per_token_absmax(const at::Tensor& input) {
  check_floating("quantize_activation_per_token_absmax", "input", input);
  const auto block = token_block(input);
  ChooseQParamsOptions options = {
      .mapping = MappingType::kSymmetric, .target = DType::kInt8, .quant_min = -127, .quant_max = 127, .eps = 1e-5};
  if (input.scalar_type() == at::kHalf) options.scale_dtype = at::kFloat;
  const ScaleAndZeroPoint qparams = choose_qparams_affine(input, block, options);
  return {quantize_affine(input, block, qparams, {.dtype = DType::kInt8, .quant_min = -127, .quant_max = 127}),
          qparams};
}

at::Tensor per_token_dynamic_quant(const at::Tensor& input, c10::ScalarType scale_dtype,
                                   c10::ScalarType zero_point_dtype, std::optional<double> eps) {
  check_floating("per_token_dynamic_quant", "input", input);
  const auto block = token_block(input);
  const ScaleAndZeroPoint qparams = choose_qparams_affine(input, block,
                                                          {.mapping = MappingType::kAsymmetric,
                                                           .target = DType::kInt8,
                                                           .eps = eps,
                                                           .scale_dtype = scale_dtype,
                                                           .zero_point_dtype = zero_point_dtype});
  const CodeOptions int8 = {.dtype = DType::kInt8};
  return dequantize_affine(quantize_affine(input, block, qparams, int8), block, qparams, int8, input.scalar_type());
}

GroupQuantized dynamically_quantize_per_channel(const at::Tensor& input, QuantRange range, c10::ScalarType dtype) {
  constexpr const char* kName = "dynamically_quantize_per_channel";
  check_floating(kName, "input", input);
  if (input.dim() != 2) {
    throw Error({.where = kName,
                 .what = fmt::format("a tensor of shape [{}]", fmt::join(input.sizes(), ", ")),
                 .allowed = "rank 2"});
  }
  const auto block = token_block(input);
  const DType codes = dtype_of(dtype);
  const ScaleAndZeroPoint qparams = choose_qparams_affine(input, block,
                                                          {.mapping = MappingType::kSymmetric,
                                                           .target = codes,
                                                           .quant_min = range.min,
                                                           .quant_max = range.max,
                                                           .eps = 0x1p-126,  // float32's smallest normal number
                                                           .zero_point_dtype = at::kLong});
  return {quantize_affine(input, block, qparams, {.dtype = codes, .quant_min = range.min, .quant_max = range.max}),
          qparams};
}

at::Tensor compute_error(const at::Tensor& x, const at::Tensor& y) {
  check_floating("compute_error", "x", x);
  check_dtype("compute_error", "y", y, {x.scalar_type()});
  return (at::linalg_norm(x) / at::linalg_norm(x - y)).log10() * 20;
}

}  // namespace torquant
