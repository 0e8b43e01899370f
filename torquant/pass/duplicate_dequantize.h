#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// Node metadata of the nodes that a quantizer annotated: "true". Removed by duplicate_dequantize.
inline constexpr const char* kAnnotatedKey = "torquant.annotated";

// Gives each annotated reader a dequantize node of its own, so that a backend can fuse it into that reader
// (torchao pt2e/quantizer/duplicate_dq_pass.py):
//
//   %d = dequantize(%q)          %d = dequantize(%q)     %d_1 = dequantize(%q)
//   %a = conv(%d)            ⇒   %a = conv(%d_1)
//   %b = exp(%d)                 %b = exp(%d)            (exp is not annotated)
//
// Dequantize nodes whose scale is computed at run time stay shared. A private dequantize node takes over its reader's
// module path and stack trace.
PassResult duplicate_dequantize(Program& program);

}  // namespace torquant
