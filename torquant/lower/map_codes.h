#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// dequantize → operators on each number by itself (sigmoid, gelu, times 0.5, none at all) → quantize, all uint8,
// becomes torquant::map_codes: what becomes of each of the 256 codes is computed once, by these operators.
PassResult map_codes(Program& program);

}  // namespace torquant
