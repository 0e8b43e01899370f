#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// dequantize → an addition or multiplication [→ clamp] or an average pool → quantize, all uint8, becomes one operator
// of lower/integer_ops.h. Stored operands may be int8: they are stored anew. Additions that a convolution can take
// along are better fused with that, before.
PassResult compute_on_codes(Program& program);

}  // namespace torquant
