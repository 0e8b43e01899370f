// Family `group_utils`: torchao.quantization.utils.
#include <gtest/gtest.h>

#include "golden.h"
#include "torquant/core/error.h"
#include "torquant/primitives/group_quantize.h"

namespace torquant::golden {
namespace {

MappingType mapping_of(const Case& c) {
  return c.text("mapping_type") == "SYMMETRIC" ? MappingType::kSymmetric : MappingType::kSymmetricNoClippingErr;
}

GroupwiseOptions groupwise_options(const Case& c) {
  const bool is_float = c.text("zero_point_domain") == "FLOAT";
  return {.bits = c.integer("n_bit"),
          .group_size = c.integer("groupsize"),
          .domain = is_float ? ZeroPointDomain::kFloat : ZeroPointDomain::kInt};
}

Outputs run_group_qparams(const Case& c) {
  const auto qparams = get_group_qparams_symmetric(c.input("input"), {c.integer("n_bit"), c.integer("group_size")},
                                                   c.scalar_type("precision"), mapping_of(c));
  return {{"scale", qparams.scale}, {"zero_point", qparams.zero_point}};
}

Outputs run_group_quantize(const Case& c) {
  const auto result = group_quantize_tensor_symmetric(c.input("input"), {c.integer("n_bit"), c.integer("group_size")},
                                                      c.scalar_type("precision"));
  return {{"codes", result.codes}, {"scale", result.qparams.scale}, {"zero_point", result.qparams.zero_point}};
}

Outputs run_groupwise_qparams(const Case& c) {
  const auto qparams = get_groupwise_affine_qparams(c.input("input"), groupwise_options(c), c.scalar_type("dtype"));
  return {{"scales", qparams.scale}, {"zeros", qparams.zero_point}};
}

Outputs run_groupwise_quantize(const Case& c) {
  return {{"codes", groupwise_affine_quantize_tensor_from_qparams(
                        c.input("input"), {c.input("scales"), c.input("zeros")}, groupwise_options(c))}};
}

Outputs run_groupwise_dequantize(const Case& c) {
  return {{"output", groupwise_affine_dequantize_tensor_from_qparams(
                         c.input("codes"), {c.input("scales"), c.input("zeros")}, groupwise_options(c))}};
}

// A code is defined where its scale is finite.
at::Tensor defined_codes(const Case& c, const GroupQuantized& result) {
  if (!c.nonfinite()) return {};
  std::vector<int64_t> shape = result.codes.sizes().vec();
  shape.back() = 1;
  return result.qparams.scale.isfinite().reshape(shape).expand(result.codes.sizes());
}

Outputs run_per_token_absmax(const Case& c) {
  const auto result = quantize_activation_per_token_absmax(c.input("input"));
  return {{"codes", result.codes, defined_codes(c, result)}, {"scales", result.qparams.scale}};
}

Outputs run_per_token_dynamic(const Case& c) {
  return {{"output",
           per_token_dynamic_quant(c.input("input"), c.scalar_type("scale_dtype"), c.scalar_type("zero_point_dtype"))}};
}

Outputs run_per_channel(const Case& c) {
  const auto result = dynamically_quantize_per_channel(
      c.input("input"), {c.integer("quant_min"), c.integer("quant_max")}, c.scalar_type("target_dtype"));
  // The floor, 2^-126, is 0 in float16: the scale of a row of zeros is 0 or -0, by the order in which PyTorch's vectors
  // compare 0 and -0.
  const Closeness but_for_sign_of_zero = {.absolute = 0x1p-149};
  return {{"codes", result.codes, defined_codes(c, result)},
          {"scale", result.qparams.scale, {}, but_for_sign_of_zero},
          {"zero_point", result.qparams.zero_point}};
}

Outputs run_compute_error(const Case& c) { return {{"sqnr", compute_error(c.input("x"), c.input("y"))}}; }

TEST(Golden, GroupUtils) {
  const std::map<std::string, Op> ops = {
      {"get_group_qparams_symmetric", run_group_qparams},
      {"group_quantize_tensor_symmetric", run_group_quantize},
      {"get_groupwise_affine_qparams", run_groupwise_qparams},
      {"groupwise_affine_quantize_tensor_from_qparams", run_groupwise_quantize},
      {"groupwise_affine_dequantize_tensor_from_qparams", run_groupwise_dequantize},
      {"_quantize_activation_per_token_absmax", run_per_token_absmax},
      {"per_token_dynamic_quant", run_per_token_dynamic},
      {"dynamically_quantize_per_channel", run_per_channel},
      {"compute_error", run_compute_error},
  };
  run_table_family("group_utils", ops);
}

}  // namespace
}  // namespace torquant::golden
