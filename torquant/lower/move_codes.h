#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// An operator that only moves values → quantize becomes quantize → dequantize → the operator → quantize: the same
// numbers, and what computes the values can give codes. Chains of such operators too.
PassResult quantize_before_moving(Program& program);

// dequantize → an operator that only moves values → quantize, all on one grid, becomes the operator on the codes.
PassResult move_codes(Program& program);

}  // namespace torquant
