#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// Brings the spellings that exporters use to one each, so that every other pass, quantizer and lowering matches one:
//
//   in-place operators (relu_, add_, hardtanh_, …)      the operator that returns a new tensor
//   relu6                                               hardtanh(0, 6)
//   native batch norms in inference                     aten.batch_norm
//   addmm(bias, x, t(w)), mm(x, t(w)), matmul(x, t(w))  aten.linear
//   view_copy, permute_copy, …                          the operator without _copy
//   dropout in inference, detach, alias                 nothing
//
// In-place operators stay where the tensor they write is an input, a parameter, or seen through a view by others.
PassResult canonicalize(Program& program);

}  // namespace torquant
