// The primitives as operators: torquant::*, and those of torchao's that its exported programs name (torchao::*, with
// torchao 0.18's schemas).
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <fmt/format.h>

#include "torquant/core/bit_packing.h"
#include "torquant/core/error.h"
#include "torquant/primitives/affine.h"
#include "torquant/primitives/float8.h"
#include "torquant/primitives/operator_library.h"
#include "torquant/primitives/tensors.h"

namespace torquant {
namespace {

using at::IntArrayRef;
using at::Tensor;
using c10::ScalarType;
using OptionalInt = std::optional<int64_t>;
using OptionalScalar = std::optional<at::Scalar>;
using OptionalTensor = std::optional<Tensor>;
using OptionalType = std::optional<ScalarType>;
using TwoTensors = std::tuple<Tensor, Tensor>;

MappingType mapping_named(std::string_view name) {
  if (name == "SYMMETRIC") return MappingType::kSymmetric;
  if (name == "SYMMETRIC_NO_CLIPPING_ERR") return MappingType::kSymmetricNoClippingErr;
  if (name == "ASYMMETRIC") return MappingType::kAsymmetric;
  throw Error({.where = "choose_qparams_affine",
               .what = fmt::format("mapping_type \"{}\"", name),
               .allowed = "SYMMETRIC, SYMMETRIC_NO_CLIPPING_ERR, ASYMMETRIC"});
}

ZeroPointRule rule_of_domain(std::string_view domain) {
  if (domain == "INT") return ZeroPointRule::kAfterRounding;
  if (domain == "FLOAT") return ZeroPointRule::kFloat;
  if (domain == "NONE") return ZeroPointRule::kNone;
  throw Error({.where = "fake_quantize_affine",
               .what = fmt::format("zero_point_domain \"{}\"", domain),
               .allowed = "INT, FLOAT, NONE"});
}

TwoTensors as_tuple(const ScaleAndZeroPoint& qparams) { return {qparams.scale, qparams.zero_point}; }
Tensor or_undefined(const OptionalTensor& tensor) { return tensor.value_or(Tensor()); }

template <QParamsRule rule>
TwoTensors choose(const Tensor& input, c10::string_view mapping_type, IntArrayRef block_size, ScalarType target_dtype,
                  OptionalInt quant_min, OptionalInt quant_max, std::optional<double> eps, OptionalType scale_dtype,
                  OptionalType zero_point_dtype, bool keepdim) {
  return as_tuple(choose_qparams_affine(input, block_size,
                                        {.rule = rule,
                                         .mapping = mapping_named(mapping_type),
                                         .target = dtype_of(target_dtype),
                                         .quant_min = quant_min,
                                         .quant_max = quant_max,
                                         .eps = eps,
                                         .scale_dtype = scale_dtype,
                                         .zero_point_dtype = zero_point_dtype,
                                         .keepdim = keepdim}));
}
template <QParamsRule rule>
TwoTensors meta_choose(const Tensor& input, c10::string_view, IntArrayRef block_size, ScalarType, OptionalInt,
                       OptionalInt, std::optional<double>, OptionalType scale_dtype, OptionalType zero_point_dtype,
                       bool keepdim) {
  const BlockLayout layout("choose_qparams_affine", input.sizes(), block_size);
  const auto shape = keepdim ? layout.blocks_per_axis() : layout.reduced_shape();
  const ScalarType zero_point = rule == QParamsRule::kTinygemm ? input.scalar_type() : at::kInt;
  return {at::empty(shape, input.options().dtype(scale_dtype.value_or(input.scalar_type()))),
          at::empty(shape, input.options().dtype(zero_point_dtype.value_or(zero_point)))};
}

TwoTensors choose_with_min_max(const Tensor& min, const Tensor& max, c10::string_view mapping_type,
                               ScalarType target_dtype, OptionalInt quant_min, OptionalInt quant_max,
                               std::optional<double> eps, OptionalType scale_dtype, OptionalType zero_point_dtype) {
  return as_tuple(choose_qparams_affine_with_min_max(min, max,
                                                     {.mapping = mapping_named(mapping_type),
                                                      .target = dtype_of(target_dtype),
                                                      .quant_min = quant_min,
                                                      .quant_max = quant_max,
                                                      .eps = eps,
                                                      .scale_dtype = scale_dtype,
                                                      .zero_point_dtype = zero_point_dtype}));
}
TwoTensors meta_choose_with_min_max(const Tensor& min, const Tensor&, c10::string_view, ScalarType, OptionalInt,
                                    OptionalInt, std::optional<double>, OptionalType scale_dtype,
                                    OptionalType zero_point_dtype) {
  return {at::empty_like(min, min.options().dtype(scale_dtype.value_or(min.scalar_type()))),
          at::empty_like(min, min.options().dtype(zero_point_dtype.value_or(at::kInt)))};
}

template <ZeroPointRule rule>
Tensor quantize(const Tensor& input, IntArrayRef block_size, const Tensor& scale, const OptionalTensor& zero_point,
                ScalarType output_dtype, OptionalInt quant_min, OptionalInt quant_max) {
  return quantize_affine(
      input, block_size, {scale, or_undefined(zero_point)},
      {.rule = rule, .dtype = dtype_of(output_dtype), .quant_min = quant_min, .quant_max = quant_max});
}
Tensor meta_quantize(const Tensor& input, IntArrayRef, const Tensor&, const OptionalTensor&, ScalarType output_dtype,
                     OptionalInt, OptionalInt) {
  return at::empty_like(input, input.options().dtype(storage_scalar_type_of(dtype_of(output_dtype))));
}

template <ZeroPointRule rule>
Tensor dequantize(const Tensor& input, IntArrayRef block_size, const Tensor& scale, const OptionalTensor& zero_point,
                  ScalarType input_dtype, OptionalInt quant_min, OptionalInt quant_max, ScalarType output_dtype) {
  return dequantize_affine(
      input, block_size, {scale, or_undefined(zero_point)},
      {.rule = rule, .dtype = dtype_of(input_dtype), .quant_min = quant_min, .quant_max = quant_max}, output_dtype);
}
Tensor meta_dequantize(const Tensor& input, IntArrayRef, const Tensor&, const OptionalTensor&, ScalarType, OptionalInt,
                       OptionalInt, ScalarType output_dtype) {
  return at::empty_like(input, input.options().dtype(output_dtype));
}

Tensor fake_quantize(const Tensor& input, IntArrayRef block_size, const Tensor& scale, const OptionalTensor& zero_point,
                     ScalarType quant_dtype, OptionalInt quant_min, OptionalInt quant_max,
                     c10::string_view zero_point_domain) {
  if (input.is_meta()) return at::empty_like(input);
  return fake_quantize_affine(input, block_size, {scale, or_undefined(zero_point)},
                              {.rule = rule_of_domain(zero_point_domain),
                               .dtype = dtype_of(quant_dtype),
                               .quant_min = quant_min,
                               .quant_max = quant_max});
}

// torchao's schemas take numbers for the range and a dtype for the kind of float8 scale.
OptionalInt as_int(const OptionalScalar& number) { return number ? OptionalInt(number->to<int64_t>()) : std::nullopt; }

TwoTensors torchao_choose(const OptionalTensor& input, c10::string_view mapping_type, IntArrayRef block_size,
                          ScalarType target_dtype, const OptionalScalar& quant_min, const OptionalScalar& quant_max,
                          std::optional<double> eps, OptionalType scale_dtype, OptionalType zero_point_dtype,
                          bool keepdim) {
  return choose<QParamsRule::kAffine>(or_undefined(input), mapping_type, block_size, target_dtype, as_int(quant_min),
                                      as_int(quant_max), eps, scale_dtype, zero_point_dtype, keepdim);
}
TwoTensors meta_torchao_choose(const OptionalTensor& input, c10::string_view mapping_type, IntArrayRef block_size,
                               ScalarType target_dtype, const OptionalScalar&, const OptionalScalar&,
                               std::optional<double> eps, OptionalType scale_dtype, OptionalType zero_point_dtype,
                               bool keepdim) {
  const Tensor tensor = or_undefined(input);
  check_defined("choose_qparams_affine", "input", tensor);
  return meta_choose<QParamsRule::kAffine>(tensor, mapping_type, block_size, target_dtype, {}, {}, eps, scale_dtype,
                                           zero_point_dtype, keepdim);
}

Tensor torchao_quantize(const Tensor& input, IntArrayRef block_size, const Tensor& scale,
                        const OptionalTensor& zero_point, ScalarType output_dtype, const OptionalScalar& quant_min,
                        const OptionalScalar& quant_max) {
  return quantize<ZeroPointRule::kAfterRounding>(input, block_size, scale, zero_point, output_dtype, as_int(quant_min),
                                                 as_int(quant_max));
}
Tensor meta_torchao_quantize(const Tensor& input, IntArrayRef, const Tensor&, const OptionalTensor&,
                             ScalarType output_dtype, const OptionalScalar&, const OptionalScalar&) {
  return at::empty_like(input, input.options().dtype(storage_scalar_type_of(dtype_of(output_dtype))));
}

Tensor torchao_dequantize(const Tensor& input, IntArrayRef block_size, const Tensor& scale,
                          const OptionalTensor& zero_point, ScalarType input_dtype, const OptionalScalar& quant_min,
                          const OptionalScalar& quant_max, ScalarType output_dtype) {
  return dequantize<ZeroPointRule::kAfterRounding>(input, block_size, scale, zero_point, input_dtype, as_int(quant_min),
                                                   as_int(quant_max), output_dtype);
}
Tensor meta_torchao_dequantize(const Tensor& input, IntArrayRef, const Tensor&, const OptionalTensor&, ScalarType,
                               const OptionalScalar&, const OptionalScalar&, ScalarType output_dtype) {
  return at::empty_like(input, input.options().dtype(output_dtype));
}

Tensor choose_float8(const Tensor& tensor, IntArrayRef block_size, ScalarType float8_dtype, ScalarType scale_dtype,
                     std::optional<double> hp_value_lb, std::optional<double> hp_value_ub) {
  if (scale_dtype != at::kFloat && scale_dtype != ScalarType::Float8_e8m0fnu) {
    throw Error({.where = "choose_scale_float8",
                 .what = fmt::format("scale_dtype {}", c10::toString(scale_dtype)),
                 .allowed = "float32, float8_e8m0fnu"});
  }
  return choose_scale_float8(tensor, block_size,
                             {.float8_dtype = float8_dtype,
                              .power_of_two = scale_dtype == ScalarType::Float8_e8m0fnu,
                              .hp_value_lb = hp_value_lb,
                              .hp_value_ub = hp_value_ub});
}
Tensor meta_choose_float8(const Tensor& tensor, IntArrayRef block_size, ScalarType, ScalarType, std::optional<double>,
                          std::optional<double>) {
  const BlockLayout layout("choose_scale_float8", tensor.sizes(), block_size);
  return at::empty(layout.blocks_per_axis(), tensor.options().dtype(at::kFloat));
}

Tensor quantize_float8(const Tensor& tensor, const Tensor& scale, ScalarType float8_dtype) {
  return quantize_affine_float8(tensor, scale, float8_dtype);
}
Tensor dequantize_float8(const Tensor& tensor, const Tensor& scale, ScalarType output_dtype) {
  return dequantize_affine_float8(tensor, scale, output_dtype);
}
Tensor meta_float8(const Tensor& tensor, const Tensor&, ScalarType dtype) {
  return at::empty_like(tensor, tensor.options().dtype(dtype));
}

// Bit strings (Q23): uint8 [packed_bytes].
Tensor pack(const Tensor& codes, int64_t bits) {
  check_dtype("pack_bits", "codes", codes, {at::kByte, at::kChar});
  check_cpu("pack_bits", "codes", codes);
  const Tensor dense = codes.contiguous();
  const auto count = static_cast<size_t>(dense.numel());
  const Tensor packed = at::empty({static_cast<int64_t>(packed_bytes(count, static_cast<int>(bits)))}, at::kByte);
  pack_bits(std::span(static_cast<const uint8_t*>(dense.const_data_ptr()), count), static_cast<int>(bits),
            std::span(packed.mutable_data_ptr<uint8_t>(), static_cast<size_t>(packed.numel())));
  return packed;
}
Tensor unpack(const Tensor& packed, int64_t bits, IntArrayRef shape, bool is_signed) {
  check_dtype("unpack_bits", "packed", packed, {at::kByte});
  check_cpu("unpack_bits", "packed", packed);
  const Tensor dense = packed.contiguous();
  const std::span bytes(dense.const_data_ptr<uint8_t>(), static_cast<size_t>(dense.numel()));
  const Tensor codes = at::empty(shape, is_signed ? at::kChar : at::kByte);
  const auto count = static_cast<size_t>(codes.numel());
  if (is_signed) {
    unpack_bits(bytes, static_cast<int>(bits), std::span(codes.mutable_data_ptr<int8_t>(), count));
  } else {
    unpack_bits(bytes, static_cast<int>(bits), std::span(codes.mutable_data_ptr<uint8_t>(), count));
  }
  return codes;
}
Tensor meta_pack(const Tensor& codes, int64_t bits) {
  const auto bytes = packed_bytes(static_cast<size_t>(codes.numel()), static_cast<int>(bits));
  return at::empty({static_cast<int64_t>(bytes)}, codes.options().dtype(at::kByte));
}
Tensor meta_unpack(const Tensor& packed, int64_t, IntArrayRef shape, bool is_signed) {
  return at::empty(shape, packed.options().dtype(is_signed ? at::kChar : at::kByte));
}

OperatorLibrary register_torquant() {
  OperatorLibrary library("torquant");
  const auto define_choose = [&](const char* name, auto* kernel, auto* meta) {
    library.define(fmt::format("{}(Tensor input, str mapping_type, int[] block_size, ScalarType target_dtype, "
                               "int? quant_min=None, int? quant_max=None, float? eps=None, "
                               "ScalarType? scale_dtype=None, ScalarType? zero_point_dtype=None, bool keepdim=False) "
                               "-> (Tensor, Tensor)",
                               name),
                   kernel, meta);
  };
  define_choose("choose_qparams_affine", choose<QParamsRule::kAffine>, meta_choose<QParamsRule::kAffine>);
  define_choose("choose_qparams_affine_tinygemm", choose<QParamsRule::kTinygemm>, meta_choose<QParamsRule::kTinygemm>);
  define_choose("choose_qparams_affine_dont_preserve_zero", choose<QParamsRule::kDontPreserveZero>,
                meta_choose<QParamsRule::kDontPreserveZero>);
  library.define(
      "choose_qparams_affine_with_min_max(Tensor min, Tensor max, str mapping_type, ScalarType target_dtype, "
      "int? quant_min=None, int? quant_max=None, float? eps=None, ScalarType? scale_dtype=None, "
      "ScalarType? zero_point_dtype=None) -> (Tensor, Tensor)",
      choose_with_min_max, meta_choose_with_min_max);

  const auto define_pair = [&](const char* suffix, auto* quantize_kernel, auto* dequantize_kernel) {
    library.define(fmt::format("quantize_affine{}(Tensor input, int[] block_size, Tensor scale, Tensor? zero_point, "
                               "ScalarType output_dtype, int? quant_min=None, int? quant_max=None) -> Tensor",
                               suffix),
                   quantize_kernel, meta_quantize);
    library.define(fmt::format("dequantize_affine{}(Tensor input, int[] block_size, Tensor scale, Tensor? zero_point, "
                               "ScalarType input_dtype, int? quant_min=None, int? quant_max=None, "
                               "ScalarType output_dtype=float) -> Tensor",
                               suffix),
                   dequantize_kernel, meta_dequantize);
  };
  define_pair("", quantize<ZeroPointRule::kAfterRounding>, dequantize<ZeroPointRule::kAfterRounding>);
  define_pair("_tinygemm", quantize<ZeroPointRule::kFloat>, dequantize<ZeroPointRule::kFloat>);
  define_pair("_no_zero_point", quantize<ZeroPointRule::kNone>, dequantize<ZeroPointRule::kNone>);
  library.define_composite(
      "fake_quantize_affine(Tensor input, int[] block_size, Tensor scale, Tensor? zero_point, ScalarType quant_dtype, "
      "int? quant_min=None, int? quant_max=None, str zero_point_domain=\"INT\") -> Tensor",
      fake_quantize);

  library.define(
      "choose_scale_float8(Tensor tensor, int[] block_size, ScalarType float8_dtype, ScalarType scale_dtype=float, "
      "float? hp_value_lb=None, float? hp_value_ub=None) -> Tensor",
      choose_float8, meta_choose_float8);
  library.define("quantize_affine_float8(Tensor tensor, Tensor scale, ScalarType float8_dtype) -> Tensor",
                 quantize_float8, meta_float8);
  library.define("dequantize_affine_float8(Tensor tensor, Tensor scale, ScalarType output_dtype=float) -> Tensor",
                 dequantize_float8, meta_float8);
  library.define("pack_bits(Tensor codes, int bits) -> Tensor", pack, meta_pack);
  library.define("unpack_bits(Tensor packed, int bits, int[] shape, bool is_signed) -> Tensor", unpack, meta_unpack);
  return library;
}

OperatorLibrary register_torchao() {
  OperatorLibrary library("torchao");
  library.define(
      "choose_qparams_affine(Tensor? input, str mapping_type, SymInt[] block_size, ScalarType target_dtype, "
      "Scalar? quant_min=None, Scalar? quant_max=None, float? eps=None, ScalarType? scale_dtype=None, "
      "ScalarType? zero_point_dtype=None, bool keepdim=False) -> (Tensor, Tensor)",
      torchao_choose, meta_torchao_choose);
  library.define(
      "quantize_affine(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, ScalarType output_dtype, "
      "Scalar? quant_min=None, Scalar? quant_max=None) -> Tensor",
      torchao_quantize, meta_torchao_quantize);
  library.define(
      "dequantize_affine(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, ScalarType input_dtype, "
      "Scalar? quant_min=None, Scalar? quant_max=None, ScalarType output_dtype=6) -> Tensor",
      torchao_dequantize, meta_torchao_dequantize);
  library.define(
      "choose_scale_float8(Tensor tensor, SymInt[] block_size, ScalarType float8_dtype=24, ScalarType scale_dtype=6, "
      "float? hp_value_lb=None, float? hp_value_ub=None) -> Tensor",
      choose_float8, meta_choose_float8);
  library.define(
      "quantize_affine_float8_non_decomposed(Tensor tensor, Tensor scale, ScalarType float8_dtype=24) -> Tensor",
      quantize_float8, meta_float8);
  library.define(
      "dequantize_affine_float8_non_decomposed(Tensor tensor, Tensor scale, ScalarType output_dtype=6) -> Tensor",
      dequantize_float8, meta_float8);
  return library;
}

const OperatorLibrary kTorquantLibrary = register_torquant();
const OperatorLibrary kTorchaoLibrary = register_torchao();

}  // namespace
}  // namespace torquant
