#pragma once

#include <ATen/core/Tensor.h>

#include "torquant/primitives/affine.h"

namespace torquant::decomposed {

// How the per-channel, per-token and per-group operators dequantize (Q14): the difference of code and zero point in
// their common dtype, its product with the scale in that with the scale's. An undefined zero point means 0.
// Differentiable with respect to scales and zero points.
at::Tensor dequantize_promoted(const char* where, const at::Tensor& codes, at::IntArrayRef block_size,
                               const ScaleAndZeroPoint& qparams, c10::ScalarType out_dtype);

}  // namespace torquant::decomposed
