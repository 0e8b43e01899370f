#pragma once

#include "torquant/core/array.h"
#include "torquant/core/block_layout.h"
#include "torquant/core/dtype.h"

// Reals to codes and back, block by block (docs/semantics.md, Q10 to Q17). Every operation is rounded to the dtype in
// which PyTorch computes it, so the results are PyTorch's bit for bit, for any dtypes of input, scale and zero point.
// Nothing is allocated per element; the loops run over chunks that stay in the first-level cache.

namespace torquant {

// How the zero point enters the quantization.
enum class ZeroPointRule : uint8_t {
  kAfterRounding,   // code = round(x / scale) + zero_point: affine and per-tensor, per-channel (Q10)
  kBeforeRounding,  // code = round(x / scale + zero_point): per-token and per-channel-group (Q11)
  kFloat,           // code = round((x - (zero_point - scale * mid)) / scale): tinygemm (Q12)
  kNone,            // code = round(x / scale) (Q13)
};

// One scale and, unless the rule is kNone, one zero point a block, [layout.num_blocks()] each.
struct BlockQParams {
  ConstArray scale;
  ConstArray zero_point = {};
};

struct QuantizeArgs {
  ZeroPointRule rule = ZeroPointRule::kAfterRounding;
  QuantRange range = {-128, 127};
  // The qparams (float64) are numbers of the program, not tensors: they leave the dtype of the arithmetic the input's,
  // and the reciprocal of the scale is taken in double (Q10). Not for kFloat.
  bool scalar_qparams = false;
};

// input: floats; codes: integers or float8. All dense, [layout.num_elements()].
void quantize(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& input, const BlockQParams& qparams,
              const Array& codes);

// The dtypes in which PyTorch's several dequantize functions compute (Q14): the difference code - zero_point, its
// product with the scale, and the result, in this order.
struct DequantizeArgs {
  ZeroPointRule rule = ZeroPointRule::kAfterRounding;
  QuantRange range = {-128, 127};            // of the codes; kFloat takes its middle, the others ignore it
  DType difference_dtype = DType::kFloat32;  // an integer dtype: exact
  DType product_dtype = DType::kFloat32;
  bool scalar_qparams = false;        // as above: the zero point is subtracted unrounded
  DType sum_dtype = DType::kFloat32;  // kFloat: of product + zero_point
};

// torchao's dequantize_affine family: the difference in the output's dtype, the product in the wider of output and
// scale.
DequantizeArgs affine_dequantize_args(ZeroPointRule rule, const QuantRange& range, DType scale, DType zero_point,
                                      DType output);

void dequantize(const DequantizeArgs& args, const BlockLayout& layout, const ConstArray& codes,
                const BlockQParams& qparams, const Array& output);

// Quantize and dequantize without casting the codes (Q16). output: as dequantize. mask (may be empty): bool, 1 where
// the code was inside the range before it was clamped, so where a gradient passes.
void fake_quantize(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& input,
                   const BlockQParams& qparams, const Array& output, const Array& mask);

// The gradient of fake_quantize with respect to its input (Q17), straight through the rounding, zero where the mask
// is: what autograd gives for PyTorch's sequence of operations, each rounded to its dtype. All of the input's dtype.
void fake_quantize_backward(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& grad_output,
                            const ConstArray& mask, const BlockQParams& qparams, const Array& grad_input);

}  // namespace torquant
