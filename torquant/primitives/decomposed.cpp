#include "torquant/primitives/decomposed.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/isnan.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/core/observer_qparams.h"
#include "torquant/primitives/dequantize_promoted.h"
#include "torquant/primitives/tensors.h"

namespace torquant::decomposed {
namespace {

void check_scale(const char* where, double scale) {
  if (scale > 0 && std::isfinite(scale)) return;
  throw Error({.where = where, .what = fmt::format("scale is {}", scale), .allowed = "positive, finite numbers"});
}

int64_t checked_axis(const char* where, const at::Tensor& tensor, int64_t axis) {
  const int64_t rank = tensor.dim();
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw Error({.where = where,
               .what = fmt::format("axis {} of a tensor of shape [{}]", axis, fmt::join(tensor.sizes(), ", ")),
               .allowed = rank == 0 ? "none: the tensor has no axes" : fmt::format("{} to {}", -rank, rank - 1)});
}

std::vector<int64_t> channel_blocks(const char* where, const at::Tensor& tensor, int64_t axis) {
  const int64_t checked = checked_axis(where, tensor, axis);
  std::vector<int64_t> block_size = tensor.sizes().vec();
  for (int64_t& size : block_size) size = std::max<int64_t>(size, 1);  // of an empty tensor too
  block_size[checked] = 1;
  return block_size;
}

std::vector<int64_t> token_blocks(const char* where, const at::Tensor& tensor) {
  check_defined(where, "input", tensor);
  if (tensor.dim() == 0 || tensor.size(-1) == 0) {
    throw Error({.where = where,
                 .what = fmt::format("a tensor of shape [{}] has no tokens", fmt::join(tensor.sizes(), ", ")),
                 .allowed = "rank 1 and more, a last axis of at least one element"});
  }
  std::vector<int64_t> block_size(tensor.dim(), 1);
  block_size.back() = tensor.size(-1);
  return block_size;
}

std::vector<int64_t> group_blocks(const char* where, const at::Tensor& tensor, const at::Tensor& scale,
                                  int64_t group_size) {
  check_defined(where, "input", tensor);
  check_defined(where, "scales", scale);
  if (tensor.dim() != 2) {
    throw Error({.where = where,
                 .what = fmt::format("a tensor of shape [{}]", fmt::join(tensor.sizes(), ", ")),
                 .allowed = "rank 2"});
  }
  const int64_t cols = tensor.size(1);
  if (group_size > cols && scale.size(-1) == 1) group_size = cols;
  if (group_size <= 1 || cols % group_size != 0) {
    throw Error({.where = where,
                 .what = fmt::format("group_size {} of rows of {} elements", group_size, cols),
                 .allowed = fmt::format("divisors of {} above 1", cols)});
  }
  return {1, group_size};
}

at::Tensor as_float32(const char* where, const at::Tensor& input) {
  check_floating(where, "input", input);
  return input.detach().to(at::kFloat);
}

// Each token's QParams by `choose(min, max)`.
template <class Choose>
ScaleAndZeroPoint choose_by_token(const char* where, const at::Tensor& input, c10::ScalarType scale_dtype,
                                  c10::ScalarType zero_point_dtype, Choose choose) {
  check_floating(where, "input", input);
  check_cpu(where, "input", input);
  const BlockLayout layout(where, input.sizes(), token_blocks(where, input));
  const at::Tensor dense = input.detach().contiguous();
  const at::Tensor min = at::empty({layout.num_blocks()}, at::kDouble);
  const at::Tensor max = at::empty({layout.num_blocks()}, at::kDouble);
  block_min_max(const_array_of(dense), layout, array_of(min), array_of(max));
  ScaleAndZeroPoint result{at::empty(layout.blocks_per_axis(), scale_dtype),
                           at::empty(layout.blocks_per_axis(), zero_point_dtype)};
  for (int64_t i = 0; i < layout.num_blocks(); ++i) {
    const QParams qparams = choose(min.const_data_ptr<double>()[i], max.const_data_ptr<double>()[i]);
    store(&qparams.scale, array_of(result.scale), i, 1);
    store(&qparams.zero_point, array_of(result.zero_point), i, 1);
  }
  return result;
}

// The gradient passes where the code was in the range, as it is: this operator's own rule (Q18), where autograd through
// PyTorch's primitives (Q17) multiplies by the scale and its reciprocal.
class FakeQuantPerChannel : public torch::autograd::Function<FakeQuantPerChannel> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& input, const at::Tensor& scale,
                            const at::Tensor& zero_point, std::vector<int64_t> block_size, int64_t quant_min,
                            int64_t quant_max) {
    constexpr const char* kName = "fake_quant_per_channel";
    const QuantRange range = checked_quant_range(kName, DType::kInt32, quant_min, quant_max);
    const ElementwiseView view(kName, input.detach(), block_size);
    const at::Tensor scales = view.qparam(kName, "scales", scale);
    const at::Tensor zero_points = view.qparam(kName, "zero_points", zero_point);
    const at::Tensor output = view.empty_output(at::kFloat);
    const at::Tensor mask = view.empty_output(at::kBool);
    fake_quantize({.range = range}, view.layout(), view.input(), {const_array_of(scales), const_array_of(zero_points)},
                  view.in_memory_order(output), view.in_memory_order(mask));
    context->save_for_backward({mask});
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    torch::autograd::variable_list result(6);
    result[0] = grads[0] * context->get_saved_variables()[0];
    return result;
  }
};

}  // namespace

at::Tensor quantize_per_tensor(const at::Tensor& input, double scale, int64_t zero_point, QuantRange range,
                               c10::ScalarType dtype) {
  constexpr const char* kName = "quantize_per_tensor";
  check_scale(kName, scale);
  range = checked_quant_range(kName, dtype_of(dtype), range.min, range.max);
  const at::Tensor real = as_float32(kName, input);
  if (real.numel() == 0) return at::empty_like(real, real.options().dtype(dtype));
  const ElementwiseView view(kName, real, real.sizes());
  const at::Tensor codes = view.empty_output(dtype);
  const auto zero = static_cast<double>(zero_point);
  quantize({ZeroPointRule::kAfterRounding, range, true}, view.layout(), view.input(),
           {ConstArray(DType::kFloat64, &scale, 1), ConstArray(DType::kFloat64, &zero, 1)},
           view.in_memory_order(codes));
  return codes;
}

at::Tensor dequantize_per_tensor(const at::Tensor& codes, double scale, int64_t zero_point, c10::ScalarType dtype,
                                 c10::ScalarType out_dtype) {
  constexpr const char* kName = "dequantize_per_tensor";
  check_scale(kName, scale);
  check_dtype(kName, "input", codes, {dtype});
  checked_quant_range(kName, dtype_of(dtype), {}, {});
  const at::Tensor output = at::empty_like(codes, codes.options().dtype(out_dtype));
  check_dtype(kName, "out_dtype", output, {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble});
  if (codes.numel() == 0) return output;
  const ElementwiseView view(kName, codes, codes.sizes());
  const auto zero = static_cast<double>(zero_point);
  const DType out = dtype_of(out_dtype);
  dequantize({.rule = ZeroPointRule::kAfterRounding,
              .difference_dtype = out,
              .product_dtype = out,
              .scalar_qparams = true,
              .sum_dtype = out},
             view.layout(), view.input(),
             {ConstArray(DType::kFloat64, &scale, 1), ConstArray(DType::kFloat64, &zero, 1)},
             view.in_memory_order(output));
  return output;
}

at::Tensor quantize_per_channel(const at::Tensor& input, const ScaleAndZeroPoint& qparams, int64_t axis,
                                QuantRange range, c10::ScalarType dtype) {
  constexpr const char* kName = "quantize_per_channel";
  const at::Tensor real = as_float32(kName, input);
  return quantize_blocks(kName, real, channel_blocks(kName, real, axis), qparams,
                         {.dtype = dtype_of(dtype), .quant_min = range.min, .quant_max = range.max});
}

at::Tensor dequantize_per_channel(const at::Tensor& codes, const ScaleAndZeroPoint& qparams, int64_t axis,
                                  c10::ScalarType dtype, c10::ScalarType out_dtype) {
  constexpr const char* kName = "dequantize_per_channel";
  check_dtype(kName, "input", codes, {dtype});
  checked_quant_range(kName, dtype_of(dtype), {}, {});
  return dequantize_promoted(kName, codes, channel_blocks(kName, codes, axis), qparams, out_dtype);
}

at::Tensor fake_quant_per_channel(const at::Tensor& input, const ScaleAndZeroPoint& qparams, int64_t axis,
                                  QuantRange range) {
  constexpr const char* kName = "fake_quant_per_channel";
  check_dtype(kName, "input", input, {at::kFloat});
  check_defined(kName, "scales", qparams.scale);
  check_defined(kName, "zero_points", qparams.zero_point);
  const ScaleAndZeroPoint as_used = {qparams.scale.to(at::kFloat), qparams.zero_point.to(at::kInt)};
  if (input.numel() == 0) return at::empty_like(input);
  return FakeQuantPerChannel::apply(input, as_used.scale.detach(), as_used.zero_point,
                                    channel_blocks(kName, input, axis), range.min, range.max);
}

ScaleAndZeroPoint choose_qparams(const at::Tensor& input, QuantRange range, double eps, c10::ScalarType dtype,
                                 bool symmetric) {
  constexpr const char* kName = "choose_qparams";
  check_floating(kName, "input", input);
  check_cpu(kName, "input", input);
  checked_quant_range(kName, dtype_of(dtype), {}, {});
  if (range.min > 0 || range.max < 0 || range.min >= range.max) {
    throw Error({.where = kName,
                 .what = fmt::format("quant_min {} and quant_max {}", range.min, range.max),
                 .allowed = "a range that contains 0, quant_min < quant_max"});
  }
  if (input.numel() == 0) throw Error({.where = kName, .what = "the input has no elements", .allowed = "at least one"});
  const at::Tensor dense = input.detach().contiguous();
  const int64_t count = dense.numel();
  float min = 0;
  float max = 0;
  const BlockLayout whole(kName, std::array{count}, std::array{count});
  block_min_max(const_array_of(dense), whole, std::span(&min, 1), std::span(&max, 1));

  float scale = std::numeric_limits<float>::quiet_NaN();
  int64_t zero_point = 0;
  if (!std::isnan(min) && !std::isnan(max)) {  // PyTorch's zero point of a NaN range is an undefined cast; ours is 0
    const ObserverQParamsRule rule = {.dtype = dtype_of(dtype),
                                      .qscheme = symmetric ? QScheme::kPerTensorSymmetric : QScheme::kPerTensorAffine,
                                      .range = range,
                                      .eps = static_cast<float>(eps)};
    observer_qparams(std::span(&min, 1), std::span(&max, 1), rule, std::span(&scale, 1), std::span(&zero_point, 1));
  }
  return {at::empty({1}, at::kDouble).fill_(scale), at::empty({1}, at::kLong).fill_(zero_point)};
}

ScaleAndZeroPoint choose_qparams_per_token(const at::Tensor& input, c10::ScalarType dtype) {
  constexpr const char* kName = "choose_qparams_per_token";
  if (dtype != at::kChar) {
    throw Error({.where = kName, .what = fmt::format("dtype {}", c10::toString(dtype)), .allowed = "int8"});
  }
  check_floating(kName, "input", input);
  // float16 could overflow, so its scales are float32, and so is their arithmetic.
  const c10::ScalarType compute = input.scalar_type() == at::kHalf ? at::kFloat : input.scalar_type();
  return choose_by_token(kName, input, compute, compute, [&](double min, double max) {
    const double absmax = std::isnan(min) ? min : std::max(-min, max);
    return QParams{choose_scale_absmax(absmax, quant_range(DType::kInt8).max, dtype_of(compute)), 0};
  });
}

ScaleAndZeroPoint choose_qparams_per_token_asymmetric(const at::Tensor& input) {
  constexpr const char* kName = "choose_qparams_per_token_asymmetric";
  check_floating(kName, "input", input);
  const DType compute = dtype_of(input.scalar_type());
  return choose_by_token(kName, input, at::kDouble, at::kLong, [&](double min, double max) {
    return choose_qparams_least_error(min, max, quant_range(DType::kInt8), compute);
  });
}

at::Tensor quantize_per_token(const at::Tensor& input, const ScaleAndZeroPoint& qparams, QuantRange range,
                              c10::ScalarType dtype) {
  constexpr const char* kName = "quantize_per_token";
  return quantize_blocks(kName, input, token_blocks(kName, input), qparams,
                         {.rule = ZeroPointRule::kBeforeRounding,
                          .dtype = dtype_of(dtype),
                          .quant_min = range.min,
                          .quant_max = range.max});
}

at::Tensor dequantize_per_token(const at::Tensor& codes, const ScaleAndZeroPoint& qparams, c10::ScalarType out_dtype) {
  constexpr const char* kName = "dequantize_per_token";
  return dequantize_promoted(kName, codes, token_blocks(kName, codes), qparams, out_dtype);
}

at::Tensor quantize_per_channel_group(const at::Tensor& input, const ScaleAndZeroPoint& qparams, QuantRange range,
                                      c10::ScalarType dtype, int64_t group_size) {
  constexpr const char* kName = "quantize_per_channel_group";
  const std::vector<int64_t> block_size = group_blocks(kName, input, qparams.scale, group_size);
  if (at::isnan(input).any().item<bool>()) {
    throw Error({.where = kName, .what = "the input holds NaN", .allowed = "numbers and infinities"});
  }
  return quantize_blocks(kName, input, block_size, qparams,
                         {.rule = ZeroPointRule::kBeforeRounding,
                          .dtype = dtype_of(dtype),
                          .quant_min = range.min,
                          .quant_max = range.max});
}

at::Tensor dequantize_per_channel_group(const at::Tensor& codes, const ScaleAndZeroPoint& qparams, int64_t group_size,
                                        c10::ScalarType out_dtype) {
  constexpr const char* kName = "dequantize_per_channel_group";
  const std::vector<int64_t> block_size = group_blocks(kName, codes, qparams.scale, group_size);
  return dequantize_promoted(kName, codes, block_size, qparams, out_dtype);
}

at::Tensor embedding_byte(const at::Tensor& weight, const ScaleAndZeroPoint& qparams, const at::Tensor& indices,
                          c10::ScalarType out_dtype) {
  constexpr const char* kName = "embedding_byte";
  check_dtype(kName, "weight", weight, {at::kChar, at::kByte});
  check_floating(kName, "weight_scales", qparams.scale);
  const at::Tensor& scale = qparams.scale;
  if (weight.dim() != 2 || scale.dim() < 1 || scale.dim() > 2 || scale.size(0) != weight.size(0)) {
    throw Error({.where = kName,
                 .what = fmt::format("weight of shape [{}] with weight_scales of shape [{}]",
                                     fmt::join(weight.sizes(), ", "), fmt::join(scale.sizes(), ", ")),
                 .allowed = "[rows, cols] with [rows] or [rows, groups]"});
  }
  if (qparams.zero_point.defined()) {
    check_dtype(kName, "weight_zero_points", qparams.zero_point, {scale.scalar_type()});
  }
  const int64_t groups = scale.dim() == 2 ? scale.size(1) : 1;
  // The rows first: the table may be large, and no float copy of it is needed.
  const auto rows_of = [&](const at::Tensor& table, int64_t cols) {
    return at::embedding(table.reshape({weight.size(0), cols}), indices).reshape({-1, cols});
  };
  const at::Tensor codes = rows_of(weight, weight.size(1));
  const ScaleAndZeroPoint of_rows = {rows_of(scale, groups),
                                     qparams.zero_point.defined() ? rows_of(qparams.zero_point, groups) : at::Tensor()};
  std::vector<int64_t> shape = indices.sizes().vec();
  shape.push_back(weight.size(1));
  return dequantize_per_channel_group(codes, of_rows, weight.size(1) / std::max<int64_t>(groups, 1), out_dtype)
      .reshape(shape);
}

}  // namespace torquant::decomposed
