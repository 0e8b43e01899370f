#pragma once

#include <cstdint>

namespace torquant {

// The rule by which FBGEMM, and so LibTorch's dynamic linear and fused fake quantize, choose a scale and a zero point
// (docs/semantics.md, O2; LibTorch's is in ATen/native/quantized/cpu/QuantUtils.h, ChooseQuantizationParams).
// It differs from the observers' rule O1 in the least scale, the symmetric step and the rounding of the zero point.
struct FbgemmQParamsArgs {
  float min;
  float max;
  int32_t quant_min;
  int32_t quant_max;
  bool preserve_sparsity = false;  // symmetric: a range on both sides of 0 gets the middle code for 0
  bool force_scale_power_of_two = false;
  bool reduce_range = false;  // halves quant_min and quant_max
};
struct FbgemmQParams {
  double scale;
  int32_t zero_point;
};

// Throws Error where min > max or NaN, or the range of codes is empty.
FbgemmQParams choose_qparams_fbgemm(const FbgemmQParamsArgs& args);

}  // namespace torquant
