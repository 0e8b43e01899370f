#include "torquant/primitives/weight_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/rsub.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "torquant/core/error.h"
#include "torquant/core/gguf_blocks.h"
#include "torquant/core/hqq.h"
#include "torquant/core/sinq.h"
#include "torquant/primitives/tensors.h"

namespace torquant {
namespace {

template <class T>
std::span<T> span_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<T>(), static_cast<size_t>(tensor.numel())};
}
template <class T>
std::span<const T> const_span_of(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<T>(), static_cast<size_t>(tensor.numel())};
}

void check_weight(const char* where, const at::Tensor& weight, int64_t rank) {
  check_floating(where, "weight", weight);
  check_cpu(where, "weight", weight);
  if (weight.dim() == rank || (rank == 0 && weight.dim() > 0)) return;
  throw Error({.where = where,
               .what = fmt::format("weight has shape [{}]", fmt::join(weight.sizes(), ", ")),
               .allowed = rank == 0 ? "rank 1 and more" : fmt::format("rank {}", rank)});
}

void check_group(const char* where, int64_t group_size, int64_t elements, const char* of_what) {
  if (group_size > 0 && elements > 0 && elements % group_size == 0) return;
  throw Error({.where = where,
               .what = fmt::format("group_size {} does not divide the {} {}", group_size, elements, of_what),
               .allowed = fmt::format("divisors of {}, from 1", elements)});
}

void check_options(const char* where, const HqqOptions& options) {
  if (options.bits < 1 || options.bits > 8) {
    throw Error({.where = where, .what = fmt::format("{} bits", options.bits), .allowed = "1 to 8"});
  }
  if (options.axis != 0 && options.axis != 1) {
    throw Error({.where = where, .what = fmt::format("axis {}", options.axis), .allowed = "0, 1"});
  }
}

BlockLayout gguf_layout(const char* where, const at::Tensor& weight, at::IntArrayRef block_size) {
  check_dtype(where, "weight", weight, {at::kFloat});
  check_weight(where, weight, 2);
  BlockLayout layout(where, weight.sizes(), block_size);
  if (block_size[0] != 1 || kGgufSuperBlock % block_size[1] != 0 || weight.size(1) % kGgufSuperBlock != 0) {
    throw Error({.where = where,
                 .what = fmt::format("shape [{}] in blocks of [{}]", fmt::join(weight.sizes(), ", "),
                                     fmt::join(block_size, ", ")),
                 .allowed = "rows of a multiple of 256 elements in blocks [1, n], n a divisor of 256"});
  }
  return layout;
}

ConstGgufQParams gguf_spans(const char* where, const BlockLayout& layout, const GgufTensors& qparams) {
  const int64_t supers = layout.num_elements() / kGgufSuperBlock;
  const auto check = [&](const char* name, const at::Tensor& tensor, int64_t elements) {
    check_dtype(where, name, tensor, {at::kFloat});
    check_cpu(where, name, tensor);
    if (tensor.numel() == elements && tensor.is_contiguous()) return const_span_of<float>(tensor);
    throw Error({.where = where,
                 .what = fmt::format("{} has {} elements", name, tensor.numel()),
                 .allowed = fmt::format("a contiguous tensor of {}", elements)});
  };
  return {check("super_block_scale_scale", qparams.super_block_scale_scale, supers),
          check("super_block_min_scale", qparams.super_block_min_scale, supers),
          check("quantized_block_scale", qparams.quantized_block_scale, layout.num_blocks()),
          check("quantized_block_min", qparams.quantized_block_min, layout.num_blocks())};
}

}  // namespace

HqqQuantized choose_qparams_and_quantize_affine_hqq(const at::Tensor& weight, const HqqOptions& options) {
  constexpr const char* kName = "choose_qparams_and_quantize_affine_hqq";
  check_weight(kName, weight, options.raw_output ? 2 : 0);
  check_options(kName, options);
  check_group(kName, options.group_size, weight.numel(), "elements of the weight");
  const bool rows = options.axis == 1;
  const int64_t groups = weight.numel() / options.group_size;
  const at::Tensor dense = weight.detach().to(at::kFloat).contiguous();
  const at::Tensor inv_scale = at::empty(rows ? at::IntArrayRef{groups, 1} : at::IntArrayRef{1, groups}, at::kFloat);
  const at::Tensor zero = at::empty(inv_scale.sizes(), at::kFloat);
  HqqQuantized result{.codes = at::empty(weight.sizes(), at::kByte), .scale = {}, .zero_point = {}};
  hqq_quantize({.bits = static_cast<int>(options.bits),
                .rows = rows ? groups : options.group_size,
                .cols = rows ? options.group_size : groups,
                .groups_are_rows = rows,
                .optimize = options.optimize,
                .compute = dtype_of(options.compute_dtype)},
               const_span_of<float>(dense), span_of<uint8_t>(result.codes), span_of<float>(inv_scale),
               span_of<float>(zero));

  const c10::ScalarType working = options.optimize ? at::kFloat : options.compute_dtype;
  at::Tensor scale = inv_scale.to(working).reciprocal();
  at::Tensor zero_point = zero.to(working);
  if (options.raw_output) {
    const int64_t other = rows ? weight.size(0) : weight.size(1);
    const std::vector<int64_t> shape = rows ? std::vector<int64_t>{other, -1} : std::vector<int64_t>{-1, other};
    scale = scale.reshape(shape);
    zero_point = zero_point.reshape(shape);
  } else {
    // From (code - zero) * scale to tinygemm's (code - mid) * scale + zero_point.
    const double mid = static_cast<double>(int64_t{1} << options.bits) / 2;
    zero_point = (at::rsub(zero_point.to(at::kFloat), mid) * scale.to(at::kFloat)).to(working);
  }
  result.scale = scale.to(options.compute_dtype);
  result.zero_point = zero_point.to(options.compute_dtype);
  return result;
}

ScaleOnlyQuantized choose_qparams_and_quantize_scale_only_hqq(const at::Tensor& weight, at::IntArrayRef block_size,
                                                              QuantRange range, int64_t iterations, double early_stop) {
  constexpr const char* kName = "choose_qparams_and_quantize_scale_only_hqq";
  check_weight(kName, weight, 2);
  if (block_size.size() != 2 || block_size[0] != 1) {
    throw Error({.where = kName,
                 .what = fmt::format("block_size [{}]", fmt::join(block_size, ", ")),
                 .allowed = "[1, group_size]"});
  }
  check_group(kName, block_size[1], weight.size(1), "columns of the weight");
  if (range.min >= range.max) {
    throw Error({.where = kName, .what = fmt::format("range {} to {}", range.min, range.max), .allowed = "min < max"});
  }
  const at::Tensor dense = weight.detach().to(at::kFloat).contiguous();
  const at::Tensor codes = at::empty(weight.sizes(), at::kInt);
  const at::Tensor scale = at::empty({weight.size(0), weight.size(1) / block_size[1]}, at::kFloat);
  hqq_quantize_scale_only({.group_size = block_size[1],
                           .range = range,
                           .iterations = static_cast<int>(iterations),
                           .early_stop = early_stop},
                          const_span_of<float>(dense), span_of<int32_t>(codes), span_of<float>(scale));
  return {codes, scale.to(weight.scalar_type())};
}

SinqQuantized choose_qparams_and_quantize_scale_only_sinq(const at::Tensor& weight, const SinqOptions& options) {
  constexpr const char* kName = "choose_qparams_and_quantize_scale_only_sinq";
  check_weight(kName, weight, 2);
  check_group(kName, options.group_size, weight.size(1), "columns of the weight");
  const int64_t groups_a_row = weight.size(1) / options.group_size;
  const at::Tensor dense = weight.detach().to(options.compute_dtype).to(at::kFloat).contiguous();
  const at::Tensor codes = at::empty(weight.sizes(), at::kChar);
  const at::Tensor row_scale = at::empty({weight.size(0), groups_a_row}, at::kFloat);
  const at::Tensor col_scale = at::empty({options.group_size}, at::kFloat);
  sinq_quantize({.rows = row_scale.numel(),
                 .cols = options.group_size,
                 .range = options.range,
                 .iterations = static_cast<int>(options.iterations),
                 .compute = dtype_of(options.compute_dtype)},
                const_span_of<float>(dense), span_of<int8_t>(codes), span_of<float>(row_scale),
                span_of<float>(col_scale));
  return {codes, row_scale.to(options.compute_dtype), col_scale.repeat({groups_a_row}).to(options.compute_dtype)};
}

GgufTensors choose_qparams_gguf(const at::Tensor& weight, at::IntArrayRef block_size) {
  constexpr const char* kName = "choose_qparams_gguf";
  const BlockLayout layout = gguf_layout(kName, weight, block_size);
  const at::Tensor dense = weight.detach().contiguous();
  // As torchao has them: a row that is one super-block has no axis for it.
  const int64_t blocks = kGgufSuperBlock / block_size[1];
  const int64_t supers = weight.size(1) / kGgufSuperBlock;
  std::vector<int64_t> super_shape = {weight.size(0)};
  if (supers > 1) super_shape.push_back(supers);
  std::vector<int64_t> block_shape = super_shape;
  block_shape.push_back(blocks);
  GgufTensors result{at::empty(super_shape), at::empty(super_shape), at::empty(block_shape), at::empty(block_shape)};
  choose_qparams_gguf(layout, const_span_of<float>(dense),
                      {span_of<float>(result.super_block_scale_scale), span_of<float>(result.super_block_min_scale),
                       span_of<float>(result.quantized_block_scale), span_of<float>(result.quantized_block_min)});
  return result;
}

at::Tensor quantize_gguf(const at::Tensor& weight, at::IntArrayRef block_size, const GgufTensors& qparams) {
  constexpr const char* kName = "quantize_gguf";
  const BlockLayout layout = gguf_layout(kName, weight, block_size);
  const at::Tensor dense = weight.detach().contiguous();
  const at::Tensor codes = at::empty(weight.sizes(), at::kFloat);
  quantize_gguf(layout, const_span_of<float>(dense), gguf_spans(kName, layout, qparams), span_of<float>(codes));
  return codes;
}

at::Tensor dequantize_gguf(const at::Tensor& codes, at::IntArrayRef block_size, const GgufTensors& qparams) {
  constexpr const char* kName = "dequantize_gguf";
  const BlockLayout layout = gguf_layout(kName, codes, block_size);
  const at::Tensor dense = codes.contiguous();
  const at::Tensor output = at::empty(codes.sizes(), at::kFloat);
  dequantize_gguf(layout, const_span_of<float>(dense), gguf_spans(kName, layout, qparams), span_of<float>(output));
  return output;
}

}  // namespace torquant
