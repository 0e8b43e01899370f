#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// Brings the spellings that exporters use to one each, so that every other pass, quantizer and lowering matches one:
//
//   relu_, add_, hardtanh_, …                           the operator that returns a new tensor
//   permute_copy, view_copy, …                          the operator without _copy
//   conv2d.padding("same" | "valid")                    conv2d with numbers, where both sides are padded alike
//   batch norms without training: native, cudnn, …      aten.batch_norm
//   addmm(bias, x, t(w)), mm(x, t(w)), matmul(x, t(w)),
//   view(mm(view(x), t(w))), bmm(x, [view](expand(t(w)))) aten.linear
//
// An in-place operator stays as it is where the tensor it writes is an input or parameter, or others see it through a
// view. Values do not change, for the kernels behind both spellings are the same; but for the last bits of bmm.
PassResult canonicalize(Program& program);

}  // namespace torquant
