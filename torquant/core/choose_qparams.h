#pragma once

#include <cstdint>
#include <optional>

#include "torquant/core/array.h"
#include "torquant/core/block_layout.h"
#include "torquant/core/dtype.h"

// From the smallest and largest value of a block to its scale and zero point (docs/semantics.md, Q4 to Q9).

namespace torquant {

enum class MappingType : uint8_t {
  kSymmetric,               // scale from the larger magnitude, half a step of it clips at quant_max
  kSymmetricNoClippingErr,  // the larger of what each end asks for: nothing clips
  kAsymmetric,
};

// The rule for zero: which of the choosers of torchao.
enum class QParamsRule : uint8_t {
  kAffine,            // the range is extended to zero, which has a code (Q5)
  kTinygemm,          // the zero point is a float, the value of the middle code; asymmetric only (Q6)
  kDontPreserveZero,  // integer zero point, but the range is not extended; asymmetric only (Q7)
};

struct ChooseQParamsArgs {
  QParamsRule rule = QParamsRule::kAffine;
  MappingType mapping = MappingType::kAsymmetric;
  QuantRange range = {-128, 127};
  std::optional<double> eps = {};   // the smallest scale; default: smallest_normal(compute)
  DType compute = DType::kFloat32;  // every operation is rounded to this float dtype
};

// Values that `compute` can hold; casting them to the dtypes of scale and zero point is the caller's last step.
struct QParams {
  double scale;
  double zero_point;
};

// `min` and `max` of a block. NaN in either gives NaN in the scale.
QParams choose_qparams(double min, double max, const ChooseQParamsArgs& args);

// The symmetric rule of dynamic per-token activations (Q8): max(absmax, 1e-5) / quant_max.
double choose_scale_absmax(double absmax, int64_t quant_max, DType compute);

// XNNPACK's asymmetric rule (Q9): the zero point that the end with the smaller error asks for.
// https://github.com/google/XNNPACK/blob/master/src/xnnpack/quantization.h
QParams choose_qparams_least_error(double min, double max, const QuantRange& range, DType compute);

// The range a caller asks for, checked: inside that of `dtype`, min below max. Nothing stands for the dtype's own.
// float8 dtypes have the integers up to their largest value as range.
QuantRange checked_quant_range(const char* where, DType dtype, std::optional<int64_t> quant_min,
                               std::optional<int64_t> quant_max);

// Smallest and largest element of each block (Q4); NaN if the block holds a NaN. `min`, `max`: [layout.num_blocks()],
// of a dtype that holds the input's.
void block_min_max(const ConstArray& input, const BlockLayout& layout, const Array& min, const Array& max);

}  // namespace torquant
