#pragma once

#include <unordered_set>

#include "torquant/observer/observer_spec.h"
#include "torquant/quantizer/sharing.h"

namespace torquant {

// Throws Error, naming the place, where convert has no quantize and dequantize nodes for this spec on these values:
//   observers of blocks (AffineQuantized…Observer), scales per token that are not dynamic;
//   dynamic specs of other dtypes than int8 and uint8, per channel, of codes that leave out 0, per token of other codes
//   than all of int8; on values that are no float32, float16 or bfloat16 tensor, and on weights among `constants`,
//   whose float copies would stay for the sake of their scales.
void check_spec(const SharingGroup& group, const ObserverSpec& observer, const ObserverOptions& options,
                const std::unordered_set<const Value*>& constants);

}  // namespace torquant
