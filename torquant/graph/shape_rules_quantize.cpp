// quantized_decomposed::*, and the observers of a prepared program.
#include <fmt/format.h>

#include "torquant/graph/shape_call.h"

namespace torquant::shape {
namespace {

Result quantize(const Call& call) {
  const auto dtype = call.dtype("dtype");
  call.check(dtype.has_value(), "argument \"dtype\" is none");
  return call.one(*dtype, call.tensor("input").sizes);
}

Result dequantize(const Call& call) {
  return call.one(call.dtype("out_dtype").value_or(at::kFloat), call.tensor("input").sizes);
}
Result dequantize_to(const Call& call) {
  return call.one(call.dtype("output_dtype").value_or(at::kFloat), call.tensor("input").sizes);
}

void check_axis(const Call& call) {
  const TensorMeta& input = call.tensor("input");
  const size_t axis = call.axis("axis", input.rank());
  const TensorMeta& scales = call.tensor("scales");
  if (input.rank() > 0 && scales.rank() == 1 && contradict(scales.sizes[0], input.sizes[axis])) {
    call.fail(fmt::format("{} scales for axis {} of size {}", to_string(scales.sizes[0]), axis,
                          to_string(input.sizes[axis])));
  }
}
Result quantize_axis(const Call& call) {
  check_axis(call);
  return quantize(call);
}
Result dequantize_axis(const Call& call) {
  check_axis(call);
  return dequantize(call);
}

// One scale and zero point of the tensor.
Result choose(const Call& call) {
  return Metas{call.result(at::kDouble, {int64_t{1}}), call.result(at::kLong, {int64_t{1}})};
}

// One a token: a row of the last axis.
Result choose_per_token(const Call& call) {
  Dims sizes = call.tensor("input").sizes;
  call.check(!sizes.empty(), "a number has no tokens");
  sizes.back() = int64_t{1};
  return Metas{call.result(at::kDouble, sizes), call.result(at::kLong, sizes)};
}

Result observe(const Call& call) { return call.same("input"); }

}  // namespace

void add_quantize_rules(RuleTable& table) {
  for (const char* name :
       {"quantized_decomposed.quantize_per_tensor.default", "quantized_decomposed.quantize_per_tensor.tensor",
        "quantized_decomposed.quantize_per_tensor.tensor2"}) {
    table[name] = quantize;
  }
  for (const char* name :
       {"quantized_decomposed.dequantize_per_tensor.default", "quantized_decomposed.dequantize_per_tensor.tensor",
        "quantized_decomposed.dequantize_per_tensor.tensor2"}) {
    table[name] = dequantize;
  }
  table["quantized_decomposed.quantize_per_channel.default"] = quantize_axis;
  table["quantized_decomposed.dequantize_per_channel.default"] = dequantize_axis;
  for (const char* name :
       {"quantized_decomposed.quantize_per_token.default", "quantized_decomposed.quantize_per_channel_group.default"}) {
    table[name] = quantize;
  }
  for (const char* name : {"quantized_decomposed.dequantize_per_token.default",
                           "quantized_decomposed.dequantize_per_channel_group.default"}) {
    table[name] = dequantize_to;
  }
  for (const char* name :
       {"quantized_decomposed.choose_qparams.tensor", "quantized_decomposed.choose_qparams_symmetric.tensor"}) {
    table[name] = choose;
  }
  table["quantized_decomposed.choose_qparams_per_token_asymmetric.default"] = choose_per_token;
  table["torquant.observe.default"] = observe;
}

}  // namespace torquant::shape
