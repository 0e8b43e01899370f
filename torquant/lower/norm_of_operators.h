#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// RMS norm that is spelled out becomes PyTorch's one operator:
//
//   %s = aten.pow.Tensor_Scalar(%x, 2)
//   %m = aten.mean.dim(%s, [-1], true)
//   %e = aten.add.Tensor(%m, 1e-05)
//   %r = aten.rsqrt.default(%e)
//   %n = aten.mul.Tensor(%x, %r)
//   %y = aten.mul.Tensor(%weight, %n)             ⇒     %y = aten.rms_norm.default(%x, [C], %weight, 1e-05)
PassResult rewrite_norm_of_operators(Program& program);

}  // namespace torquant
