#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// dequantize → an addition [→ relu] or an average pool → quantize, all uint8, becomes one operator of
// lower/integer_ops.h. Additions that a convolution can take along are better fused with that, before.
PassResult compute_on_codes(Program& program);

}  // namespace torquant
