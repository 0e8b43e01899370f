#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// Folds an eval-mode batch norm into the convolution, transposed convolution or 2-D linear layer that feeds it
// (docs/semantics.md, F1):
//
//   %y = aten.conv2d.default(%x, %w, %b)
//   %z = aten.batch_norm.default(%y, %gamma, %beta, %mean, %var, training=false, eps=e)
//     ⇒
//   %y = aten.conv2d.default(%x, %w', %b')     w' = w * (gamma * r),  b' = (b - mean) * r * gamma + beta,
//                                              r = rsqrt(var + e)   (linear: b' = (b - mean) * (gamma * r) + beta)
//
// Refuses, naming the node: the layer's output has another reader; a statistic is missing or no constant; training
// mode; a linear layer on inputs of more than two dimensions (its last axis is not the batch norm's channel axis).
// A weight that several layers share is folded once for each batch norm, into a copy; once for all calls of a module
// that is called several times.
PassResult fold_batch_norm(Program& program);

}  // namespace torquant
