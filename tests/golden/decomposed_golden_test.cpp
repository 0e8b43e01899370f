// Family `decomposed`: the operators quantized_decomposed::* through the dispatcher, as converted graphs call them, and
// the rules of LibTorch itself (aten.*, quantized.*), which shows that the LibTorch we link is the one the data is
// from.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "golden.h"
#include "operator_call.h"
#include "torquant/core/dtype.h"
#include "torquant/core/error.h"
#include "torquant/core/fbgemm_qparams.h"

namespace torquant::golden {
namespace {

std::vector<at::Tensor> call_decomposed(const Case& c) { return call_operator(c, "quantized_decomposed::" + c.op()); }

// Codes of NaN are an undefined cast.
at::Tensor defined_codes(const Case& c) {
  if (!c.nonfinite()) return {};
  const char* scales = c.has_input("scales") ? "scales" : "scale";
  const at::Tensor scale = c.has_input(scales) ? c.input(scales) : at::scalar_tensor(c.number(scales));
  return (c.input("input").to(at::kDouble) / scale.to(at::kDouble)).isnan().logical_not();
}

Outputs codes_of(const Case& c, const at::Tensor& codes) {
  if (c10::isFloat8Type(codes.scalar_type())) return {{"codes_as_uint8", codes.view(at::kByte)}};
  return {{"codes", codes, defined_codes(c)}};
}

Outputs run_quantize(const Case& c) { return codes_of(c, call_decomposed(c)[0]); }
Outputs run_dequantize(const Case& c) { return {{"output", call_decomposed(c)[0]}}; }

// The chooser's cast of a NaN zero point left the least int64, whose difference from a code overflows.
Outputs run_dequantize_per_token(const Case& c) {
  const at::Tensor output = call_decomposed(c)[0];
  const at::Tensor zero_points = c.input("zero_points");
  if (!c.nonfinite() || zero_points.scalar_type() != at::kLong) return {{"output", output}};
  const at::Tensor defined = zero_points.ne(std::numeric_limits<int64_t>::min());
  return {{"output", output, defined.expand(output.sizes())}};
}

Outputs qparams_of(const char* scale_name, const char* zero_point_name, const std::vector<at::Tensor>& qparams) {
  const bool cast = !qparams[1].is_floating_point();
  return {{scale_name, qparams[0]}, {zero_point_name, qparams[1], cast ? qparams[0].isfinite() : at::Tensor()}};
}
Outputs run_choose(const Case& c) { return qparams_of("scale", "zero_point", call_decomposed(c)); }
Outputs run_choose_per_token(const Case& c) { return qparams_of("scales", "zero_points", call_decomposed(c)); }

// The gradient of the sum of the outputs.
Outputs with_gradient(const Case& c, const std::function<at::Tensor(const at::Tensor&)>& function) {
  const at::Tensor input = c.input("input").clone().requires_grad_(true);
  const at::Tensor output = function(input);
  output.sum().backward();
  return {{"output", output}, {"grad_of_sum", input.grad()}};
}

Outputs run_fake_quant_per_channel(const Case& c) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("quantized_decomposed::fake_quant_per_channel", "")
          .typed<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, int64_t, int64_t, int64_t)>();
  return with_gradient(c, [&](const at::Tensor& input) {
    return op.call(input, c.input("scales"), c.input("zero_points"), c.integer("axis"), c.integer("quant_min"),
                   c.integer("quant_max"));
  });
}

// LibTorch's own rules.

// What our copy of the rule says about the tensor, checked against LibTorch's. Ours refuses infinities.
void check_fbgemm_rule(const Case& c, QuantRange range, double scale, int64_t zero_point) {
  if (c.nonfinite()) return;
  const at::Tensor input = c.input("input");
  const FbgemmQParams ours = choose_qparams_fbgemm({.min = input.min().item<float>(),
                                                    .max = input.max().item<float>(),
                                                    .quant_min = static_cast<int32_t>(range.min),
                                                    .quant_max = static_cast<int32_t>(range.max),
                                                    .reduce_range = c.boolean("reduce_range")});
  if (ours.scale != scale || ours.zero_point != zero_point) {
    throw Error({.where = "choose_qparams_fbgemm",
                 .what = fmt::format("scale {}, zero point {}, LibTorch has {}, {}", ours.scale, ours.zero_point, scale,
                                     zero_point)});
  }
}

Outputs run_aten_choose(const Case& c) {
  const auto [scale, zero_point] = at::_choose_qparams_per_tensor(c.input("input"), c.boolean("reduce_range"));
  check_fbgemm_rule(c, {0, 255}, scale, zero_point);
  const bool undefined = c.nonfinite() && !std::isfinite(scale);
  const at::Tensor zero = at::scalar_tensor(zero_point, at::kLong);
  return {{"scale", at::scalar_tensor(scale, at::kDouble)},
          {"zero_point", zero, undefined ? zero.to(at::kBool).zero_() : at::Tensor()}};
}

Outputs run_aten_choose_optimized(const Case& c) {
  const auto [max, min] = at::choose_qparams_optimized(c.input("input"), c.integer("numel"), c.integer("n_bins"),
                                                       c.number("ratio"), c.integer("bit_width"));
  return {{"max", max}, {"min", min}};
}

Outputs run_aten_quantize(const Case& c) {
  const at::Tensor quantized =
      at::quantize_per_tensor(c.input("input"), c.number("scale"), c.integer("zero_point"), c.scalar_type("dtype"));
  const at::Tensor defined = defined_codes(c);
  return {{"codes", quantized.int_repr(), defined}, {"dequantized", quantized.dequantize(), defined}};
}

Outputs run_aten_quantize_dynamic(const Case& c) {
  const at::Tensor quantized =
      at::quantize_per_tensor_dynamic(c.input("input"), c.scalar_type("dtype"), c.boolean("reduce_range"));
  const bool is_signed = c.scalar_type("dtype") == at::kQInt8;
  check_fbgemm_rule(c, is_signed ? QuantRange{-128, 127} : QuantRange{0, 255}, quantized.q_scale(),
                    quantized.q_zero_point());
  return {{"codes", quantized.int_repr()},
          {"scale", at::scalar_tensor(quantized.q_scale(), at::kDouble)},
          {"zero_point", at::scalar_tensor(quantized.q_zero_point(), at::kLong)}};
}

Outputs run_aten_quantize_per_channel(const Case& c) {
  return {{"codes",
           at::quantize_per_channel(c.input("input"), c.input("scales"), c.input("zero_points"), c.integer("axis"),
                                    c.scalar_type("dtype"))
               .int_repr(),
           defined_codes(c)}};
}

Outputs run_aten_fake_quantize(const Case& c) {
  return with_gradient(c, [&](const at::Tensor& input) {
    return at::fake_quantize_per_tensor_affine(input, c.number("scale"), c.integer("zero_point"),
                                               c.integer("quant_min"), c.integer("quant_max"));
  });
}

Outputs run_aten_fake_quantize_per_channel(const Case& c) {
  return with_gradient(c, [&](const at::Tensor& input) {
    return at::fake_quantize_per_channel_affine(input, c.input("scale"), c.input("zero_point"), c.integer("axis"),
                                                c.integer("quant_min"), c.integer("quant_max"));
  });
}

// Loss: the sum of outputs times weights from -1 to 1.
Outputs run_aten_learnable(const Case& c) {
  const bool per_channel = c.params().contains("axis");
  const at::Tensor input = c.input("input").clone().requires_grad_(true);
  const at::Tensor scale =
      (per_channel ? c.input("scale").clone() : at::full({1}, c.number("scale"), at::kFloat)).requires_grad_(true);
  const at::Tensor zero_point =
      (per_channel ? c.input("zero_point").clone() : at::full({1}, c.number("zero_point"), at::kFloat))
          .requires_grad_(true);
  const int64_t quant_min = c.integer("quant_min");
  const int64_t quant_max = c.integer("quant_max");
  const double factor = c.number("grad_factor");
  const at::Tensor output = per_channel ? at::_fake_quantize_learnable_per_channel_affine(
                                              input, scale, zero_point, c.integer("axis"), quant_min, quant_max, factor)
                                        : at::_fake_quantize_learnable_per_tensor_affine(input, scale, zero_point,
                                                                                         quant_min, quant_max, factor);
  const at::Tensor weight = at::linspace(-1, 1, output.numel()).reshape(output.sizes());
  (output * weight).sum().backward();
  // Sums over many elements: their order depends on the CPU.
  const Closeness summed = {.relative = 1e-5, .absolute = 1e-6};
  return {{"output", output},
          {"grad_weight", weight},
          {"grad_input", input.grad()},
          {"grad_scale", scale.grad(), {}, summed},
          {"grad_zero_point", zero_point.grad(), {}, summed}};
}

Outputs run_embedding_byte(const Case& c) { return {{"output", call_decomposed(c)[0]}}; }

// quantized.embedding_bag_*: the operator named, with its first tensor `weight` or `packed`.
Outputs run_embedding_bag(const Case& c) {
  const std::string name = "quantized::" + c.op().substr(c.op().find('.') + 1);
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(name.c_str(), "");
  std::vector<c10::IValue> stack;
  for (const c10::Argument& argument : op.schema().arguments()) {
    const std::string& argument_name = argument.name();
    if (c.has_input(argument_name)) {
      stack.emplace_back(c.input(argument_name));
    } else if (stack.empty()) {
      stack.emplace_back(c.input("packed"));
    } else if (c.params().contains(argument_name) || !argument.default_value()) {
      stack.push_back(argument_value(c, argument));
    } else {
      stack.push_back(*argument.default_value());
    }
  }
  op.callBoxed(stack);
  return {{c.json()["outputs"].begin().key(), stack[0].toTensor()}};
}

bool has_float8_codes(const Case& c) {
  return c.op() == "dequantize_per_channel" && c.text("dtype").starts_with("float8");
}

bool has_empty_range(const Case& c) {
  const auto min = c.optional_integer("quant_min");
  return min && *min >= c.integer("quant_max");
}

bool has_negative_axis(const Case& c) { return c.op() == "fake_quant_per_channel" && c.integer("axis") < 0; }

bool has_odd_scalar_scale(const Case& c) {
  const auto scale = c.optional_number("scale");
  return c.op() == "quantize_per_tensor" && scale && !(*scale > 0 && std::isfinite(*scale));
}

TEST(Golden, Decomposed) {
  const std::map<std::string, Op> ops = {
      {"quantize_per_tensor", run_quantize},
      {"quantize_per_tensor.tensor", run_quantize},
      {"quantize_per_tensor.tensor2", run_quantize},
      {"dequantize_per_tensor", run_dequantize},
      {"dequantize_per_tensor.tensor", run_dequantize},
      {"dequantize_per_tensor.tensor2", run_dequantize},
      {"quantize_per_channel", run_quantize},
      {"dequantize_per_channel", run_dequantize},
      {"fake_quant_per_channel", run_fake_quant_per_channel},
      {"choose_qparams.tensor", run_choose},
      {"choose_qparams_symmetric.tensor", run_choose},
      {"choose_qparams_per_token", run_choose_per_token},
      {"_choose_qparams_per_token_asymmetric_impl", run_choose_per_token},
      {"choose_qparams_per_token_asymmetric", run_choose_per_token},
      {"quantize_per_token", run_quantize},
      {"dequantize_per_token", run_dequantize_per_token},
      {"quantize_per_channel_group", run_quantize},
      {"dequantize_per_channel_group", run_dequantize},
      {"embedding_byte", run_embedding_byte},
      {"aten._choose_qparams_per_tensor", run_aten_choose},
      {"aten.choose_qparams_optimized", run_aten_choose_optimized},
      {"aten.quantize_per_tensor", run_aten_quantize},
      {"aten.quantize_per_tensor_dynamic", run_aten_quantize_dynamic},
      {"aten.quantize_per_channel", run_aten_quantize_per_channel},
      {"aten.fake_quantize_per_tensor_affine", run_aten_fake_quantize},
      {"aten.fake_quantize_per_channel_affine", run_aten_fake_quantize_per_channel},
      {"aten._fake_quantize_learnable_per_tensor_affine", run_aten_learnable},
      {"aten._fake_quantize_learnable_per_channel_affine", run_aten_learnable},
      {"quantized.embedding_bag_byte_prepack", run_embedding_bag},
      {"quantized.embedding_bag_byte_unpack", run_embedding_bag},
      {"quantized.embedding_bag_byte_rowwise_offsets", run_embedding_bag},
      {"quantized.embedding_bag_4bit_prepack", run_embedding_bag},
      {"quantized.embedding_bag_4bit_unpack", run_embedding_bag},
      {"quantized.embedding_bag_4bit_rowwise_offsets", run_embedding_bag},
      {"quantized.embedding_bag_2bit_prepack", run_embedding_bag},
      {"quantized.embedding_bag_2bit_unpack", run_embedding_bag},
      {"quantized.embedding_bag_2bit_rowwise_offsets", run_embedding_bag},
  };
  const std::vector<IntendedDifference> intended = {
      {"float8 codes are dequantized per channel too; PyTorch cannot promote their dtype", has_float8_codes},
      {"quant_min must be below quant_max", has_empty_range},
      {"a negative axis counts from the end; PyTorch's result has an axis too many", has_negative_axis},
      {"a scale that the program names must be positive and finite", has_odd_scalar_scale},
  };
  run_table_family("decomposed", ops, intended);
}

}  // namespace
}  // namespace torquant::golden
