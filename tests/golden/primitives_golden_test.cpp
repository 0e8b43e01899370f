// Family `primitives`: torchao.quantization.quant_primitives.
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "golden.h"
#include "torquant/core/error.h"
#include "torquant/primitives/affine.h"
#include "torquant/primitives/float8.h"
#include "torquant/primitives/tensors.h"
#include "torquant/primitives/weight_search.h"

namespace torquant::golden {
namespace {

DType dtype_named(const std::string& name) {
  const auto dtype = dtype_from_name(name);
  if (!dtype) throw Error({.where = "golden case", .what = "unknown dtype " + name});
  return *dtype;
}

MappingType mapping_named(const std::string& name) {
  if (name == "SYMMETRIC") return MappingType::kSymmetric;
  if (name == "SYMMETRIC_NO_CLIPPING_ERR") return MappingType::kSymmetricNoClippingErr;
  if (name == "ASYMMETRIC") return MappingType::kAsymmetric;
  throw Error({.where = "golden case", .what = "unknown mapping " + name});
}

ChooseQParamsOptions choose_options(const Case& c, QParamsRule rule) {
  ChooseQParamsOptions options{.rule = rule,
                               .mapping = mapping_named(c.text("mapping_type")),
                               .target = dtype_named(c.text("target_dtype")),
                               .quant_min = c.optional_integer("quant_min"),
                               .quant_max = c.optional_integer("quant_max"),
                               .eps = c.optional_number("eps"),
                               .scale_dtype = c.optional_scalar_type("scale_dtype"),
                               .zero_point_dtype = c.optional_scalar_type("zero_point_dtype"),
                               .keepdim = c.params().value("keepdim", false)};
  // `zero_point.to(None)` changes nothing in PyTorch, so a symmetric zero point keeps the dtype it was computed in.
  const bool symmetric = options.mapping != MappingType::kAsymmetric;
  if (symmetric && !options.zero_point_dtype) {
    options.zero_point_dtype = c.has_input("input") ? c.input("input").scalar_type() : c.input("min").scalar_type();
  }
  return options;
}

// Where PyTorch defines an integer that was cast from `value`.
at::Tensor finite(const at::Tensor& value) { return value.isfinite(); }

Outputs qparams_of(const Case& c, const ScaleAndZeroPoint& qparams) {
  const bool cast = c.nonfinite() && !qparams.zero_point.is_floating_point();
  return {{"scale", qparams.scale}, {"zero_point", qparams.zero_point, cast ? finite(qparams.scale) : at::Tensor()}};
}

Op choose(QParamsRule rule) {
  return [rule](const Case& c) {
    return qparams_of(c, choose_qparams_affine(c.input("input"), c.integers("block_size"), choose_options(c, rule)));
  };
}

CodeOptions code_options(const Case& c, const char* dtype, ZeroPointRule rule) {
  return {.rule = rule,
          .dtype = dtype_named(c.text(dtype)),
          .quant_min = c.optional_integer("quant_min"),
          .quant_max = c.optional_integer("quant_max")};
}

ScaleAndZeroPoint given_qparams(const Case& c) {
  return {c.input("scale"), c.has_input("zero_point") ? c.input("zero_point") : at::Tensor()};
}

Op quantize(ZeroPointRule rule) {
  return [rule](const Case& c) -> Outputs {
    const CodeOptions options = code_options(c, "output_dtype", rule);
    const at::Tensor input = c.input("input");
    const ScaleAndZeroPoint qparams = given_qparams(c);
    const at::Tensor codes = quantize_affine(input, c.integers("block_size"), qparams, options);
    if (!c.nonfinite()) return {{"codes", codes}};
    // A NaN before the cast: fake quantization keeps it, and has no cast.
    const at::Tensor real = fake_quantize_affine(input, c.integers("block_size"), qparams, options);
    return {{"codes", codes, real.isnan().logical_not()}};
  };
}

Op dequantize(ZeroPointRule rule) {
  return [rule](const Case& c) -> Outputs {
    return {{"output", dequantize_affine(c.input("codes"), c.integers("block_size"), given_qparams(c),
                                         code_options(c, "input_dtype", rule), c.scalar_type("output_dtype"))}};
  };
}

Outputs fake_quantize_with_gradient(const Case& c) {
  const at::Tensor input = c.input("input").clone().requires_grad_(true);
  const at::Tensor output = fake_quantize_affine(input, c.integers("block_size"), given_qparams(c),
                                                 code_options(c, "quant_dtype", ZeroPointRule::kAfterRounding));
  output.sum().backward();
  return {{"output", output}, {"grad_of_sum", input.grad()}};
}

Outputs fake_quantize_with_mask(const Case& c) {
  const auto [output, mask] =
      fake_quantize_affine_cachemask(c.input("input"), c.integers("block_size"), given_qparams(c),
                                     code_options(c, "quant_dtype", ZeroPointRule::kAfterRounding));
  return {{"output", output}, {"mask", mask}};
}

Outputs run_choose_scale_float8(const Case& c) {
  return {{"scale", choose_scale_float8(c.input("input"), c.integers("block_size"),
                                        {.float8_dtype = c.scalar_type("float8_dtype"),
                                         .power_of_two = c.optional_text("scale_dtype") == "float8_e8m0fnu",
                                         .hp_value_lb = c.optional_number("hp_value_lb"),
                                         .hp_value_ub = c.optional_number("hp_value_ub")})}};
}

Outputs run_hqq_affine(const Case& c) {
  const HqqQuantized result =
      choose_qparams_and_quantize_affine_hqq(c.input("input"), {.bits = c.integer("nbits"),
                                                                .group_size = c.integer("group_size"),
                                                                .optimize = c.boolean("optimize"),
                                                                .axis = c.integer("axis"),
                                                                .compute_dtype = c.scalar_type("compute_dtype"),
                                                                .raw_output = c.boolean("raw_output")});
  // PyTorch adds a group's values in another order and has another pow; an error in HQQ's own zero, a number of codes
  // up to 2^bits, is multiplied by the scale, so the sum mid * scale + zero_point is what is equal to 1e-6.
  const double mid = static_cast<double>(int64_t{1} << c.integer("nbits")) / 2;
  const double absolute = 1e-6 * (c.boolean("raw_output") ? 2 * mid : mid * result.scale.abs().max().item<double>());
  return {{"codes", result.codes},
          {"scale", result.scale, {}, {.relative = 1e-6}},
          {"zero_point", result.zero_point, {}, {.relative = 1e-6, .absolute = absolute}}};
}

Outputs run_hqq_scale_only(const Case& c) {
  const ScaleOnlyQuantized result = choose_qparams_and_quantize_scale_only_hqq(
      c.input("input"), c.integers("block_size"), {c.integer("qmin"), c.integer("qmax")});
  return {{"codes", result.codes}, {"scale", result.scale, {}, {.relative = 1e-6}}};  // another order of addition
}

Outputs run_sinq(const Case& c) {
  const SinqQuantized result =
      choose_qparams_and_quantize_scale_only_sinq(c.input("input"), {.range = {c.integer("qmin"), c.integer("qmax")},
                                                                     .group_size = c.integer("group_size"),
                                                                     .iterations = c.integer("niter"),
                                                                     .compute_dtype = c.scalar_type("compute_dtype")});
  // A row that is NaN throughout has no defined codes.
  const at::Tensor defined = result.row_scale.isfinite().repeat_interleave(c.integer("group_size"), 1);
  return {{"codes", result.codes, defined}, {"scale_row", result.row_scale}, {"scale_col", result.col_scale}};
}

Outputs run_choose_gguf(const Case& c) {
  const GgufTensors result = choose_qparams_gguf(c.input("input"), c.integers("block_size"));
  return {{"super_block_scale_scale", result.super_block_scale_scale},
          {"super_block_min_scale", result.super_block_min_scale},
          {"quantized_block_scale", result.quantized_block_scale},
          {"quantized_block_min", result.quantized_block_min}};
}

GgufTensors given_gguf(const Case& c) {
  return {c.input("super_block_scale_scale"), c.input("super_block_min_scale"), c.input("quantized_block_scale"),
          c.input("quantized_block_min")};
}

bool has_one_element_blocks(const Case& c) {
  if (!c.params().contains("block_size")) return false;
  for (const int64_t size : c.integers("block_size")) {
    if (size != 1) return false;
  }
  return true;
}

bool has_empty_block(const Case& c) {
  const auto sizes = c.params().contains("block_size") ? c.integers("block_size") : std::vector<int64_t>();
  return std::ranges::find(sizes, 0) != sizes.end();
}

bool has_empty_range(const Case& c) {
  const auto min = c.optional_integer("quant_min");
  return min && c.optional_integer("quant_max") && *min >= *c.optional_integer("quant_max");
}

bool asks_for_signed_sub_byte_codes(const Case& c) {
  const auto name = c.optional_text("output_dtype");
  return name && name->starts_with("int") && bits_of(dtype_named(*name)) < 8;
}

bool quantizes_nothing(const Case& c) { return c.op() == "quantize_affine" && c.input("input").numel() == 0; }

Outputs run_choose_with_min_max(const Case& c) {
  return qparams_of(
      c, choose_qparams_affine_with_min_max(c.input("min"), c.input("max"), choose_options(c, QParamsRule::kAffine)));
}

Outputs run_quantize_float8(const Case& c) {
  const auto codes = quantize_affine_float8(c.input("input"), c.input("scale"), c.scalar_type("float8_dtype"));
  return {{"codes_as_uint8", codes.view(at::kByte)}};
}

Outputs run_dequantize_float8(const Case& c) {
  const auto codes = c.input("codes_as_uint8").view(c.scalar_type("float8_dtype"));
  return {{"output", dequantize_affine_float8(codes, c.input("scale"), c.scalar_type("output_dtype"))}};
}

Outputs run_quantize_gguf(const Case& c) {
  return {{"codes", quantize_gguf(c.input("input"), c.integers("block_size"), given_gguf(c))}};
}

Outputs run_dequantize_gguf(const Case& c) {
  return {{"output", dequantize_gguf(c.input("codes"), c.integers("block_size"), given_gguf(c))}};
}

TEST(Golden, Primitives) {
  const std::map<std::string, Op> ops = {
      {"choose_qparams_affine", choose(QParamsRule::kAffine)},
      {"choose_qparams_affine_tinygemm", choose(QParamsRule::kTinygemm)},
      {"choose_qparams_affine_dont_preserve_zero", choose(QParamsRule::kDontPreserveZero)},
      {"choose_qparams_affine_with_min_max", run_choose_with_min_max},
      {"quantize_affine", quantize(ZeroPointRule::kAfterRounding)},
      {"quantize_affine_tinygemm", quantize(ZeroPointRule::kFloat)},
      {"quantize_affine_no_zero_point", quantize(ZeroPointRule::kNone)},
      {"dequantize_affine", dequantize(ZeroPointRule::kAfterRounding)},
      {"dequantize_affine_tinygemm", dequantize(ZeroPointRule::kFloat)},
      {"dequantize_affine_no_zero_point", dequantize(ZeroPointRule::kNone)},
      {"fake_quantize_affine", fake_quantize_with_gradient},
      {"fake_quantize_affine_cachemask", fake_quantize_with_mask},
      {"choose_scale_float8", run_choose_scale_float8},
      {"quantize_affine_float8", run_quantize_float8},
      {"dequantize_affine_float8", run_dequantize_float8},
      {"hqq_affine", run_hqq_affine},
      {"hqq_scale_only", run_hqq_scale_only},
      {"sinq_scale_only", run_sinq},
      {"choose_qparams_gguf", run_choose_gguf},
      {"quantize_gguf", run_quantize_gguf},
      {"dequantize_gguf", run_dequantize_gguf},
  };
  const std::vector<IntendedDifference> intended = {
      {"a block of one element gets qparams of its own; torchao reduces the whole tensor", has_one_element_blocks},
      {"a block size of 0 is an error", has_empty_block},
      {"quant_min must be below quant_max", has_empty_range},
      {"int1 to int7 codes are stored in int8; torchao cannot cast to these dtypes", asks_for_signed_sub_byte_codes},
      {"quantizing no elements gives no codes; torchao takes an empty zero point for none", quantizes_nothing},
  };
  run_table_family("primitives", ops, intended);
}

}  // namespace
}  // namespace torquant::golden
