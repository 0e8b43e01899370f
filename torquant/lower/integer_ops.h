#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "torquant/lower/grid.h"

namespace torquant {

// Arithmetic on uint8 codes for which LibTorch has no operator; as dispatcher operators torquant::add_codes,
// torquant::mul_codes, torquant::map_codes and torquant::avg_pool2d_codes. Throw Error for another dtype, rank or size.

// Codes of a + b and a * b: each operand as a dequantize node gives it, the result as a quantize node takes it, to the
// bit (docs/semantics.md, Q10 and Q14). a, b: sizes that PyTorch broadcasts.
at::Tensor add_codes(const at::Tensor& a, const Grid& a_grid, const at::Tensor& b, const Grid& b_grid, const Grid& out);
at::Tensor mul_codes(const at::Tensor& a, const Grid& a_grid, const at::Tensor& b, const Grid& b_grid, const Grid& out);

// table[code] of each code. table: uint8 [256].
at::Tensor map_codes(const at::Tensor& x, const at::Tensor& table);

// Codes of the mean over windows of the last two dimensions; zeros around the image count.
struct Windows {
  std::vector<int64_t> kernel;  // height, width; empty: the whole image
  std::vector<int64_t> stride;
  std::vector<int64_t> padding;
};
// x: [N, C, H, W]. Codes are summed as integers, so that one multiplication and one rounding are all that happens:
// round((sum - count * zero point) * (scale / (count * output scale))) + output zero point.
at::Tensor avg_pool2d_codes(const at::Tensor& x, const Grid& grid, const Windows& windows, const Grid& out);

}  // namespace torquant
