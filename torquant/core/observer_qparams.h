#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "torquant/core/dtype.h"
#include "torquant/core/qscheme.h"

namespace torquant {

// The rule by which PyTorch's observers, and quantized_decomposed.choose_qparams, turn an observed range into a scale
// and a zero point (docs/semantics.md, O1). All arithmetic is float32, in the order given there.

// 2^-23, torch.finfo(torch.float32).eps: the eps of an observer that names none.
inline constexpr float kObserverEps = 0x1p-23f;

// The codes an observer uses: the user's `custom` range, or the dtype's own. `reduce_range` halves a custom range and
// the own range of the 8-bit dtypes, so that two products fit 16 bits on old x86 CPUs; PyTorch ignores it for the rest.
// Throws Error where dtype is no integer, or the custom range is empty, leaves out 0 or leaves the dtype.
QuantRange observer_quant_range(DType dtype, std::optional<QuantRange> custom, bool reduce_range);

struct ObserverQParamsRule {
  DType dtype = DType::kInt8;
  QScheme qscheme = QScheme::kPerTensorAffine;
  QuantRange range = {-128, 127};  // of observer_quant_range
  bool custom_range = false;       // the user gave the range: an unsigned symmetric zero point is then its middle
  float eps = kObserverEps;        // the least scale, > 0
};

// One scale and zero point for each pair of `min` and `max`; all spans have one size.
// Throws Error where a range is no range (min > max, or NaN), naming the channel.
void observer_qparams(std::span<const float> min, std::span<const float> max, const ObserverQParamsRule& rule,
                      std::span<float> scale, std::span<int64_t> zero_point);

// The same for QScheme::kPerChannelAffineFloatQParams, whose zero point is a float.
void observer_float_qparams(std::span<const float> min, std::span<const float> max, const ObserverQParamsRule& rule,
                            std::span<float> scale, std::span<float> zero_point);

}  // namespace torquant
