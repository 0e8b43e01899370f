#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "torquant/lower/grid.h"

namespace torquant {

// The inner size up to which sums of products of two uint8 codes fit into 32 bits.
inline constexpr int64_t kLargestInnerSize = 33025;  // (2^31 - 1) / 255^2

// A matrix product of two computed operands, for which oneDNN's operators on integers want a stored weight; as
// dispatcher operator torquant::matmul_codes. a: uint8 [..., M, K]; b: uint8 [..., K, N]; the dimensions before the
// last two broadcast. With a' and b' for codes minus their zero points:
//
//   sum over k of a'[m, k] b'[k, n]
//     = sum of a b - z_a * sum of b[k, n] - z_b * sum of a[m, k] + K z_a z_b             exact, in 32 bits
//
// Gives that times a.scale * b.scale as float32 [..., M, N]; or, with `out`, codes:
// round(sum * (a.scale * b.scale / out.scale)) + out.zero_point. Throws Error for another dtype or size.
at::Tensor matmul_codes(const at::Tensor& a, const Grid& a_grid, const at::Tensor& b, const Grid& b_grid,
                        const std::optional<Grid>& out);

}  // namespace torquant
