#include "torquant/primitives/affine.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/logical_not.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "torquant/core/error.h"
#include "torquant/primitives/tensors.h"

namespace torquant {
namespace {

// Scales and zero points of `count` blocks, cast to the dtypes asked for.
ScaleAndZeroPoint choose(const char* where, const ConstArray& min, const ConstArray& max, at::IntArrayRef shape,
                         c10::ScalarType input_dtype, const ChooseQParamsOptions& options) {
  if (options.rule != QParamsRule::kAffine && options.mapping != MappingType::kAsymmetric) {
    throw Error({.where = where,
                 .what = "this rule has no symmetric mapping",
                 .allowed = "MappingType::kAsymmetric (ASYMMETRIC)"});
  }
  const ChooseQParamsArgs args = {
      .rule = options.rule,
      .mapping = options.mapping,
      .range = checked_quant_range(where, options.target, options.quant_min, options.quant_max),
      .eps = options.eps,
      .compute = dtype_of(input_dtype)};
  const auto default_zero_point_dtype = options.rule == QParamsRule::kTinygemm ? input_dtype : at::kInt;
  ScaleAndZeroPoint result{
      at::empty(shape, options.scale_dtype.value_or(input_dtype)),
      at::empty(shape, options.zero_point_dtype.value_or(default_zero_point_dtype)),
  };
  const Array scale = array_of(result.scale);
  const Array zero_point = array_of(result.zero_point);
  for (int64_t i = 0; i < min.size; ++i) {
    const QParams qparams = choose_qparams(element(min, i), element(max, i), args);
    store(&qparams.scale, scale, i, 1);
    store(&qparams.zero_point, zero_point, i, 1);
  }
  return result;
}

// An operand's qparams in memory order, with the zero point that `rule` asks for.
struct BlockTensors {
  at::Tensor scale;
  at::Tensor zero_point;
  BlockQParams arrays() const {
    return {const_array_of(scale), zero_point.defined() ? const_array_of(zero_point) : ConstArray()};
  }
};

BlockTensors block_tensors(const char* where, const ElementwiseView& view, const ScaleAndZeroPoint& qparams,
                           ZeroPointRule rule) {
  check_dtype(where, "scale", qparams.scale, {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble});
  BlockTensors tensors{view.qparam(where, "scale", qparams.scale), {}};
  if (rule == ZeroPointRule::kNone) {
    if (qparams.zero_point.defined()) {
      throw Error({.where = where, .what = "a zero point is given to the rule without zero point"});
    }
    return tensors;
  }
  if (!qparams.zero_point.defined()) {
    throw Error({.where = where,
                 .what = "zero_point is undefined",
                 .allowed = "a tensor of as many elements as scale",
                 .hint = "use ZeroPointRule::kNone (quantize_affine_no_zero_point) for codes without zero point"});
  }
  tensors.zero_point = view.qparam(where, "zero_point", qparams.zero_point);
  return tensors;
}

struct FakeQuantized {
  at::Tensor output;
  at::Tensor inside;  // where the code was in the range before it was clamped
};

FakeQuantized fake_quantize_forward(const char* where, const at::Tensor& input, at::IntArrayRef block_size,
                                    const ScaleAndZeroPoint& qparams, const CodeOptions& options) {
  check_floating(where, "input", input);
  const QuantRange range = checked_quant_range(where, options.dtype, options.quant_min, options.quant_max);
  const ElementwiseView view(where, input, block_size);
  const BlockTensors blocks = block_tensors(where, view, qparams, options.rule);
  FakeQuantized result{view.empty_output(input.scalar_type()), view.empty_output(at::kBool)};
  fake_quantize({options.rule, range}, view.layout(), view.input(), blocks.arrays(),
                view.in_memory_order(result.output), view.in_memory_order(result.inside));
  return result;
}

// Q17 as an autograd function; scale and zero point are constants, as torchao's primitives treat them in training.
class FakeQuantizeAffine : public torch::autograd::Function<FakeQuantizeAffine> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& input,
                            std::vector<int64_t> block_size, const at::Tensor& scale,
                            const std::optional<at::Tensor>& zero_point, int64_t rule, int64_t quant_min,
                            int64_t quant_max, int64_t dtype) {
    const at::Tensor zero = zero_point.value_or(at::Tensor());
    const FakeQuantized result =
        fake_quantize_forward(kName, input, block_size, {scale, zero},
                              {static_cast<ZeroPointRule>(rule), static_cast<DType>(dtype), quant_min, quant_max});
    context->save_for_backward({result.inside, scale, zero});
    context->saved_data["block_size"] = std::move(block_size);
    context->saved_data["rule"] = rule;
    context->saved_data["quant_min"] = quant_min;
    context->saved_data["quant_max"] = quant_max;
    return result.output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto rule = static_cast<ZeroPointRule>(context->saved_data["rule"].toInt());
    const QuantRange range = {context->saved_data["quant_min"].toInt(), context->saved_data["quant_max"].toInt()};
    // In the mask's memory order, which is the input's.
    const ElementwiseView view(kName, saved[0], context->saved_data["block_size"].toIntVector());
    const BlockTensors blocks = block_tensors(kName, view, {saved[1], saved[2]}, rule);
    const at::Tensor grad_output = view.as_input(grads[0]);
    const at::Tensor grad_input = view.empty_output(grads[0].scalar_type());
    fake_quantize_backward({rule, range}, view.layout(), const_array_of(grad_output), view.input(), blocks.arrays(),
                           view.in_memory_order(grad_input));
    torch::autograd::variable_list result(8);
    result[0] = grad_input;
    return result;
  }

 private:
  static constexpr const char* kName = "fake_quantize_affine";
};

}  // namespace

ScaleAndZeroPoint choose_qparams_affine(const at::Tensor& input, at::IntArrayRef block_size,
                                        const ChooseQParamsOptions& options) {
  constexpr const char* kName = "choose_qparams_affine";
  check_dtype(kName, "input", input, {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble});
  check_cpu(kName, "input", input);
  const BlockLayout layout(kName, input.sizes(), block_size);
  const at::Tensor dense = input.detach().contiguous();
  const auto options_of = dense.options();
  const at::Tensor min = at::empty({layout.num_blocks()}, options_of);
  const at::Tensor max = at::empty({layout.num_blocks()}, options_of);
  block_min_max(const_array_of(dense), layout, array_of(min), array_of(max));
  const std::vector<int64_t> shape = options.keepdim ? layout.blocks_per_axis() : layout.reduced_shape();
  return choose(kName, const_array_of(min), const_array_of(max), shape, input.scalar_type(), options);
}

ScaleAndZeroPoint choose_qparams_affine_with_min_max(const at::Tensor& min, const at::Tensor& max,
                                                     const ChooseQParamsOptions& options) {
  constexpr const char* kName = "choose_qparams_affine_with_min_max";
  check_dtype(kName, "min", min, {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble});
  check_dtype(kName, "max", max, {min.scalar_type()});
  check_cpu(kName, "min", min);
  check_cpu(kName, "max", max);
  if (min.sizes() != max.sizes()) {
    throw Error(
        {.where = kName,
         .what = fmt::format("min has {} elements, max has {}, or their shapes differ", min.numel(), max.numel()),
         .allowed = "tensors of one shape"});
  }
  const at::Tensor dense_min = min.detach().contiguous();
  const at::Tensor dense_max = max.detach().contiguous();
  return choose(kName, const_array_of(dense_min), const_array_of(dense_max), min.sizes(), min.scalar_type(), options);
}

at::Tensor quantize_affine(const at::Tensor& input, at::IntArrayRef block_size, const ScaleAndZeroPoint& qparams,
                           const CodeOptions& options) {
  return quantize_blocks("quantize_affine", input, block_size, qparams, options);
}

at::Tensor quantize_blocks(const char* where, const at::Tensor& input, at::IntArrayRef block_size,
                           const ScaleAndZeroPoint& qparams, const CodeOptions& options) {
  check_floating(where, "input", input);
  const QuantRange range = checked_quant_range(where, options.dtype, options.quant_min, options.quant_max);
  const ElementwiseView view(where, input.detach(), block_size);
  const BlockTensors blocks = block_tensors(where, view, qparams, options.rule);
  const at::Tensor codes = view.empty_output(storage_scalar_type_of(options.dtype));
  quantize({options.rule, range}, view.layout(), view.input(), blocks.arrays(), view.in_memory_order(codes));
  return codes;
}

at::Tensor dequantize_affine(const at::Tensor& codes, at::IntArrayRef block_size, const ScaleAndZeroPoint& qparams,
                             const CodeOptions& options, c10::ScalarType output_dtype) {
  constexpr const char* kName = "dequantize_affine";
  check_dtype(kName, "codes", codes, {storage_scalar_type_of(options.dtype)});
  const QuantRange range = checked_quant_range(kName, options.dtype, options.quant_min, options.quant_max);
  const ElementwiseView view(kName, codes, block_size);
  const bool no_zero_point = options.rule == ZeroPointRule::kAfterRounding && !qparams.zero_point.defined();
  const ZeroPointRule rule = no_zero_point ? ZeroPointRule::kNone : options.rule;
  const BlockTensors blocks = block_tensors(kName, view, qparams, rule);
  const at::Tensor output = view.empty_output(output_dtype);
  check_floating(kName, "output_dtype", output);
  const DequantizeArgs args = affine_dequantize_args(rule, range, blocks.arrays().scale.dtype,
                                                     blocks.arrays().zero_point.dtype, dtype_of(output_dtype));
  dequantize(args, view.layout(), view.input(), blocks.arrays(), view.in_memory_order(output));
  return output;
}

at::Tensor fake_quantize_affine(const at::Tensor& input, at::IntArrayRef block_size, const ScaleAndZeroPoint& qparams,
                                const CodeOptions& options) {
  const QuantRange range =
      checked_quant_range("fake_quantize_affine", options.dtype, options.quant_min, options.quant_max);
  const std::optional<at::Tensor> zero_point =
      qparams.zero_point.defined() ? std::optional(qparams.zero_point.detach()) : std::nullopt;
  check_defined("fake_quantize_affine", "scale", qparams.scale);
  return FakeQuantizeAffine::apply(input, block_size.vec(), qparams.scale.detach(), zero_point,
                                   static_cast<int64_t>(options.rule), range.min, range.max,
                                   static_cast<int64_t>(options.dtype));
}

std::tuple<at::Tensor, at::Tensor> fake_quantize_affine_cachemask(const at::Tensor& input, at::IntArrayRef block_size,
                                                                  const ScaleAndZeroPoint& qparams,
                                                                  const CodeOptions& options) {
  constexpr const char* kName = "fake_quantize_affine_cachemask";
  const at::Tensor output = fake_quantize_affine(input, block_size, qparams, options);
  const QuantRange range = checked_quant_range(kName, options.dtype, options.quant_min, options.quant_max);
  const ElementwiseView view(kName, input.detach(), block_size);
  const at::Tensor codes = view.empty_output(at::kFloat);
  quantize({options.rule, range}, view.layout(), view.input(),
           block_tensors(kName, view, qparams, options.rule).arrays(), view.in_memory_order(codes));
  return {output, at::isnan(codes).logical_not()};
}

}  // namespace torquant
