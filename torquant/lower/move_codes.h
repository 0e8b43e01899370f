#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// dequantize → an operator that only picks and moves values → quantize, all on one grid, becomes the operator on the
// codes: max_pool2d, cat, and the operators on shapes.
PassResult move_codes(Program& program);

}  // namespace torquant
