#include "torquant/primitives/dequantize_promoted.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <vector>

#include "torquant/core/quantize.h"
#include "torquant/primitives/tensors.h"

namespace torquant::decomposed {
namespace {

// Q14 as ATen operations, for autograd to record: PyTorch's operators are differentiable with respect to the scales.
at::Tensor dequantize_differentiable(const at::Tensor& codes, at::IntArrayRef block_size,
                                     const ScaleAndZeroPoint& qparams, c10::ScalarType out_dtype) {
  // Each axis as blocks and elements of a block: [d / b, b], with scales [d / b, 1].
  std::vector<int64_t> tiled;
  std::vector<int64_t> grid;
  for (int64_t i = 0; i < codes.dim(); ++i) {
    tiled.insert(tiled.end(), {codes.size(i) / block_size[i], block_size[i]});
    grid.insert(grid.end(), {codes.size(i) / block_size[i], 1});
  }
  at::Tensor difference = codes.reshape(tiled);
  if (qparams.zero_point.defined()) difference = difference - qparams.zero_point.reshape(grid);
  return (difference * qparams.scale.reshape(grid)).to(out_dtype).reshape(codes.sizes());
}

}  // namespace

at::Tensor dequantize_promoted(const char* where, const at::Tensor& codes, at::IntArrayRef block_size,
                               const ScaleAndZeroPoint& qparams, c10::ScalarType out_dtype) {
  const ElementwiseView view(where, codes, block_size);
  check_dtype(where, "scales", qparams.scale, {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble});
  const at::Tensor scale = view.qparam(where, "scales", qparams.scale);
  const bool has_zero_point = qparams.zero_point.defined();
  const bool trained = qparams.scale.requires_grad() || (has_zero_point && qparams.zero_point.requires_grad());
  if (trained && at::GradMode::is_enabled()) {
    return dequantize_differentiable(codes, block_size, qparams, out_dtype);
  }
  const at::Tensor zero_point = has_zero_point ? view.qparam(where, "zero_points", qparams.zero_point) : at::Tensor();
  const DType codes_dtype = dtype_of(codes.scalar_type());
  DequantizeArgs args;
  args.rule = has_zero_point ? ZeroPointRule::kAfterRounding : ZeroPointRule::kNone;
  args.difference_dtype =
      has_zero_point ? promote(codes_dtype, dtype_of(zero_point.scalar_type())) : promote(codes_dtype, codes_dtype);
  args.product_dtype = promote(args.difference_dtype, dtype_of(scale.scalar_type()));
  args.sum_dtype = args.product_dtype;
  const at::Tensor output = view.empty_output(out_dtype);
  check_dtype(where, "out_dtype", output, {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble});
  dequantize(args, view.layout(), view.input(),
             {const_array_of(scale), has_zero_point ? const_array_of(zero_point) : ConstArray()},
             view.in_memory_order(output));
  return output;
}

}  // namespace torquant::decomposed
