// The operators quantized_decomposed::*, with the schemas of torch/ao/quantization/fx/_decomposed.py (PyTorch 2.13) and
// the embedding operators of executorch, so that converted graphs run without Python.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <fmt/format.h>

#include "torquant/core/error.h"
#include "torquant/primitives/decomposed.h"
#include "torquant/primitives/operator_library.h"

namespace torquant {
namespace {

using at::Tensor;
using c10::ScalarType;
using OptionalTensor = std::optional<Tensor>;
using OptionalType = std::optional<ScalarType>;
using TwoTensors = std::tuple<Tensor, Tensor>;

Tensor or_undefined(const OptionalTensor& tensor) { return tensor.value_or(Tensor()); }
ScalarType or_float(OptionalType type) { return type.value_or(ScalarType::Float); }
TwoTensors as_tuple(const ScaleAndZeroPoint& qparams) { return {qparams.scale, qparams.zero_point}; }

// The one element of a tensor argument; `zero_point` of a graph may be a float tensor.
template <class T>
T item(const char* where, const char* argument, const Tensor& tensor) {
  if (tensor.defined() && tensor.numel() == 1) return tensor.item().to<T>();
  throw Error({.where = where,
               .what = fmt::format("{} has {} elements", argument, tensor.defined() ? tensor.numel() : 0),
               .allowed = "one element"});
}

// Shape and dtype alone.
Tensor meta_like(const Tensor& input, ScalarType dtype) { return at::empty_like(input, input.options().dtype(dtype)); }
TwoTensors meta_token_qparams(const Tensor& input) {
  auto shape = input.sym_sizes().vec();
  shape.back() = 1;
  const auto options = input.options();
  return {at::empty_symint(shape, options.dtype(at::kDouble)), at::empty_symint(shape, options.dtype(at::kLong))};
}

Tensor quantize_per_tensor(const Tensor& input, double scale, int64_t zero_point, int64_t quant_min, int64_t quant_max,
                           ScalarType dtype) {
  return decomposed::quantize_per_tensor(input, scale, zero_point, {quant_min, quant_max}, dtype);
}
Tensor meta_quantize_per_tensor(const Tensor& input, double, int64_t, int64_t, int64_t, ScalarType dtype) {
  return meta_like(input, dtype);
}

Tensor quantize_per_tensor_tensor(const Tensor& input, const Tensor& scale, const Tensor& zero_point, int64_t quant_min,
                                  int64_t quant_max, ScalarType dtype) {
  constexpr const char* kName = "quantize_per_tensor.tensor";
  return decomposed::quantize_per_tensor(input, item<double>(kName, "scale", scale),
                                         item<int64_t>(kName, "zero_point", zero_point), {quant_min, quant_max}, dtype);
}
Tensor meta_quantize_per_tensor_tensor(const Tensor& input, const Tensor&, const Tensor&, int64_t, int64_t,
                                       ScalarType dtype) {
  return meta_like(input, dtype);
}

Tensor quantize_per_tensor_tensor2(const Tensor& input, const Tensor& scale, const Tensor& zero_point,
                                   const Tensor& quant_min, const Tensor& quant_max, ScalarType dtype) {
  constexpr const char* kName = "quantize_per_tensor.tensor2";
  return quantize_per_tensor_tensor(input, scale, zero_point, item<int64_t>(kName, "quant_min", quant_min),
                                    item<int64_t>(kName, "quant_max", quant_max), dtype);
}
Tensor meta_quantize_per_tensor_tensor2(const Tensor& input, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                        ScalarType dtype) {
  return meta_like(input, dtype);
}

Tensor dequantize_per_tensor(const Tensor& input, double scale, int64_t zero_point, int64_t, int64_t, ScalarType dtype,
                             OptionalType out_dtype) {
  return decomposed::dequantize_per_tensor(input, scale, zero_point, dtype, or_float(out_dtype));
}
Tensor meta_dequantize_per_tensor(const Tensor& input, double, int64_t, int64_t, int64_t, ScalarType,
                                  OptionalType out_dtype) {
  return meta_like(input, or_float(out_dtype));
}

Tensor dequantize_per_tensor_tensor(const Tensor& input, const Tensor& scale, const Tensor& zero_point, int64_t,
                                    int64_t, ScalarType dtype, OptionalType out_dtype) {
  constexpr const char* kName = "dequantize_per_tensor.tensor";
  return decomposed::dequantize_per_tensor(input, item<double>(kName, "scale", scale),
                                           item<int64_t>(kName, "zero_point", zero_point), dtype, or_float(out_dtype));
}
Tensor meta_dequantize_per_tensor_tensor(const Tensor& input, const Tensor&, const Tensor&, int64_t, int64_t,
                                         ScalarType, OptionalType out_dtype) {
  return meta_like(input, or_float(out_dtype));
}

Tensor dequantize_per_tensor_tensor2(const Tensor& input, const Tensor& scale, const Tensor& zero_point, const Tensor&,
                                     const Tensor&, ScalarType dtype, OptionalType out_dtype) {
  return dequantize_per_tensor_tensor(input, scale, zero_point, 0, 0, dtype, out_dtype);
}
Tensor meta_dequantize_per_tensor_tensor2(const Tensor& input, const Tensor&, const Tensor&, const Tensor&,
                                          const Tensor&, ScalarType, OptionalType out_dtype) {
  return meta_like(input, or_float(out_dtype));
}

TwoTensors choose_qparams(const Tensor& input, int64_t quant_min, int64_t quant_max, double eps, ScalarType dtype) {
  return as_tuple(decomposed::choose_qparams(input, {quant_min, quant_max}, eps, dtype, /*symmetric=*/false));
}
TwoTensors choose_qparams_symmetric(const Tensor& input, int64_t quant_min, int64_t quant_max, double eps,
                                    ScalarType dtype) {
  return as_tuple(decomposed::choose_qparams(input, {quant_min, quant_max}, eps, dtype, /*symmetric=*/true));
}
TwoTensors meta_choose_qparams(const Tensor& input, int64_t, int64_t, double, ScalarType) {
  return {at::empty({1}, input.options().dtype(at::kDouble)), at::empty({1}, input.options().dtype(at::kLong))};
}

Tensor quantize_per_channel(const Tensor& input, const Tensor& scales, const Tensor& zero_points, int64_t axis,
                            int64_t quant_min, int64_t quant_max, ScalarType dtype) {
  return decomposed::quantize_per_channel(input, {scales, zero_points}, axis, {quant_min, quant_max}, dtype);
}
Tensor meta_quantize_per_channel(const Tensor& input, const Tensor&, const Tensor&, int64_t, int64_t, int64_t,
                                 ScalarType dtype) {
  return meta_like(input, dtype);
}

Tensor dequantize_per_channel(const Tensor& input, const Tensor& scales, const OptionalTensor& zero_points,
                              int64_t axis, int64_t, int64_t, ScalarType dtype, OptionalType out_dtype) {
  return decomposed::dequantize_per_channel(input, {scales, or_undefined(zero_points)}, axis, dtype,
                                            or_float(out_dtype));
}
Tensor meta_dequantize_per_channel(const Tensor& input, const Tensor&, const OptionalTensor&, int64_t, int64_t, int64_t,
                                   ScalarType, OptionalType out_dtype) {
  return meta_like(input, or_float(out_dtype));
}

Tensor fake_quant_per_channel(const Tensor& input, const Tensor& scales, const Tensor& zero_points, int64_t axis,
                              int64_t quant_min, int64_t quant_max) {
  if (input.is_meta()) return at::empty_like(input);
  return decomposed::fake_quant_per_channel(input, {scales, zero_points}, axis, {quant_min, quant_max});
}

TwoTensors choose_qparams_per_token(const Tensor& input, ScalarType dtype) {
  return as_tuple(decomposed::choose_qparams_per_token(input, dtype));
}
TwoTensors choose_qparams_per_token_asymmetric(const Tensor& input, ScalarType) {
  return as_tuple(decomposed::choose_qparams_per_token_asymmetric(input));
}
TwoTensors meta_choose_qparams_per_token(const Tensor& input, ScalarType) { return meta_token_qparams(input); }

Tensor quantize_per_token(const Tensor& input, const Tensor& scales, const Tensor& zero_points, int64_t quant_min,
                          int64_t quant_max, ScalarType dtype) {
  return decomposed::quantize_per_token(input, {scales, zero_points}, {quant_min, quant_max}, dtype);
}
Tensor meta_quantize_per_token(const Tensor& input, const Tensor&, const Tensor&, int64_t, int64_t, ScalarType dtype) {
  return meta_like(input, dtype);
}

Tensor dequantize_per_token(const Tensor& input, const Tensor& scales, const Tensor& zero_points, int64_t, int64_t,
                            ScalarType, ScalarType output_dtype) {
  return decomposed::dequantize_per_token(input, {scales, zero_points}, output_dtype);
}
Tensor meta_dequantize_per_token(const Tensor& input, const Tensor&, const Tensor&, int64_t, int64_t, ScalarType,
                                 ScalarType output_dtype) {
  return meta_like(input, output_dtype);
}

Tensor quantize_per_channel_group(const Tensor& input, const Tensor& scales, const Tensor& zero_points,
                                  int64_t quant_min, int64_t quant_max, ScalarType dtype, int64_t group_size) {
  return decomposed::quantize_per_channel_group(input, {scales, zero_points}, {quant_min, quant_max}, dtype,
                                                group_size);
}
Tensor meta_quantize_per_channel_group(const Tensor& input, const Tensor&, const Tensor&, int64_t, int64_t,
                                       ScalarType dtype, int64_t) {
  return meta_like(input, dtype);
}

Tensor dequantize_per_channel_group(const Tensor& input, const Tensor& scales, const OptionalTensor& zero_points,
                                    int64_t, int64_t, ScalarType, int64_t group_size, ScalarType output_dtype) {
  return decomposed::dequantize_per_channel_group(input, {scales, or_undefined(zero_points)}, group_size, output_dtype);
}
Tensor meta_dequantize_per_channel_group(const Tensor& input, const Tensor&, const OptionalTensor&, int64_t, int64_t,
                                         ScalarType, int64_t, ScalarType output_dtype) {
  return meta_like(input, output_dtype);
}

Tensor convert_element_type(const Tensor& input, ScalarType dtype) {
  return input.to(dtype, /*non_blocking=*/false, /*copy=*/true);
}

Tensor embedding_byte_dtype(const Tensor& weight, const Tensor& scales, const OptionalTensor& zero_points, int64_t,
                            int64_t, const Tensor& indices, OptionalType dtype) {
  return decomposed::embedding_byte(weight, {scales, or_undefined(zero_points)}, indices,
                                    dtype.value_or(scales.scalar_type()));
}
Tensor embedding_byte(const Tensor& weight, const Tensor& scales, const OptionalTensor& zero_points, int64_t quant_min,
                      int64_t quant_max, const Tensor& indices) {
  return embedding_byte_dtype(weight, scales, zero_points, quant_min, quant_max, indices, std::nullopt);
}
Tensor meta_embedding_byte_dtype(const Tensor& weight, const Tensor& scales, const OptionalTensor&, int64_t, int64_t,
                                 const Tensor& indices, OptionalType dtype) {
  auto shape = indices.sym_sizes().vec();
  shape.push_back(weight.sym_size(1));
  return at::empty_symint(shape, scales.options().dtype(dtype.value_or(scales.scalar_type())));
}
Tensor meta_embedding_byte(const Tensor& weight, const Tensor& scales, const OptionalTensor& zero_points,
                           int64_t quant_min, int64_t quant_max, const Tensor& indices) {
  return meta_embedding_byte_dtype(weight, scales, zero_points, quant_min, quant_max, indices, std::nullopt);
}

OperatorLibrary register_operators() {
  OperatorLibrary library("quantized_decomposed");
  library.define(
      "quantize_per_tensor(Tensor input, float scale, int zero_point, int quant_min, int quant_max, ScalarType dtype) "
      "-> Tensor",
      quantize_per_tensor, meta_quantize_per_tensor);
  library.define(
      "quantize_per_tensor.tensor(Tensor input, Tensor scale, Tensor zero_point, int quant_min, int quant_max, "
      "ScalarType dtype) -> Tensor",
      quantize_per_tensor_tensor, meta_quantize_per_tensor_tensor);
  library.define(
      "quantize_per_tensor.tensor2(Tensor input, Tensor scale, Tensor zero_point, Tensor quant_min, Tensor quant_max, "
      "ScalarType dtype) -> Tensor",
      quantize_per_tensor_tensor2, meta_quantize_per_tensor_tensor2);
  library.define(
      "dequantize_per_tensor(Tensor input, float scale, int zero_point, int quant_min, int quant_max, "
      "ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor",
      dequantize_per_tensor, meta_dequantize_per_tensor);
  library.define(
      "dequantize_per_tensor.tensor(Tensor input, Tensor scale, Tensor zero_point, int quant_min, int quant_max, "
      "ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor",
      dequantize_per_tensor_tensor, meta_dequantize_per_tensor_tensor);
  library.define(
      "dequantize_per_tensor.tensor2(Tensor input, Tensor scale, Tensor zero_point, Tensor quant_min, "
      "Tensor quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor",
      dequantize_per_tensor_tensor2, meta_dequantize_per_tensor_tensor2);
  library.define(
      "choose_qparams.tensor(Tensor input, int quant_min, int quant_max, float eps, ScalarType dtype) "
      "-> (Tensor, Tensor)",
      choose_qparams, meta_choose_qparams);
  library.define(
      "choose_qparams_symmetric.tensor(Tensor input, int quant_min, int quant_max, float eps, ScalarType dtype) "
      "-> (Tensor, Tensor)",
      choose_qparams_symmetric, meta_choose_qparams);
  library.define(
      "quantize_per_channel(Tensor input, Tensor scales, Tensor zero_points, int axis, int quant_min, int quant_max, "
      "ScalarType dtype) -> Tensor",
      quantize_per_channel, meta_quantize_per_channel);
  library.define(
      "dequantize_per_channel(Tensor input, Tensor scales, Tensor? zero_points, int axis, int quant_min, "
      "int quant_max, ScalarType dtype, *, ScalarType? out_dtype=None) -> Tensor",
      dequantize_per_channel, meta_dequantize_per_channel);
  library.define_composite(
      "fake_quant_per_channel(Tensor input, Tensor scales, Tensor zero_points, int axis, int quant_min, "
      "int quant_max) -> Tensor",
      fake_quant_per_channel);
  library.define("choose_qparams_per_token(Tensor input, ScalarType dtype) -> (Tensor, Tensor)",
                 choose_qparams_per_token, meta_choose_qparams_per_token);
  library.define("_choose_qparams_per_token_asymmetric_impl(Tensor input, ScalarType dtype) -> (Tensor, Tensor)",
                 choose_qparams_per_token_asymmetric, meta_choose_qparams_per_token);
  library.define("choose_qparams_per_token_asymmetric(Tensor input, ScalarType dtype) -> (Tensor, Tensor)",
                 choose_qparams_per_token_asymmetric, meta_choose_qparams_per_token);
  library.define(
      "quantize_per_token(Tensor input, Tensor scales, Tensor zero_points, int quant_min, int quant_max, "
      "ScalarType dtype) -> Tensor",
      quantize_per_token, meta_quantize_per_token);
  library.define(
      "dequantize_per_token(Tensor input, Tensor scales, Tensor zero_points, int quant_min, int quant_max, "
      "ScalarType dtype, ScalarType output_dtype) -> Tensor",
      dequantize_per_token, meta_dequantize_per_token);
  library.define(
      "quantize_per_channel_group(Tensor input, Tensor scales, Tensor zero_points, int quant_min, int quant_max, "
      "ScalarType dtype, int group_size) -> Tensor",
      quantize_per_channel_group, meta_quantize_per_channel_group);
  library.define(
      "dequantize_per_channel_group(Tensor input, Tensor scales, Tensor? zero_points, int quant_min, int quant_max, "
      "ScalarType dtype, int group_size, ScalarType output_dtype) -> Tensor",
      dequantize_per_channel_group, meta_dequantize_per_channel_group);
  library.define("convert_element_type.no_fuse(Tensor input, ScalarType dtype) -> Tensor", convert_element_type,
                 meta_like);
  library.define(
      "embedding_byte(Tensor weight, Tensor weight_scales, Tensor? weight_zero_points, int weight_quant_min, "
      "int weight_quant_max, Tensor indices) -> Tensor",
      embedding_byte, meta_embedding_byte);
  library.define(
      "embedding_byte.dtype(Tensor weight, Tensor weight_scales, Tensor? weight_zero_points, int weight_quant_min, "
      "int weight_quant_max, Tensor indices, *, ScalarType? dtype=None) -> Tensor",
      embedding_byte_dtype, meta_embedding_byte_dtype);
  return library;
}

const OperatorLibrary kLibrary = register_operators();

}  // namespace
}  // namespace torquant
