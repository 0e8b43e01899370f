#pragma once

#include "torquant/graph/program.h"

namespace torquant {

// An eval-mode batch norm that follows no layer, as in DenseNet, becomes a layer that integers compute: a depthwise
// convolution of one tap.
//
//   %y = aten.batch_norm.default(%x, %gamma, %beta, %mean, %var, training=false, eps=e)
//     ⇒
//   %y = aten.conv2d.default(%x, %w, %b, groups=C)     w[c] = gamma[c] / sqrt(var[c] + e),  b = beta - mean * w
//
// Of images and sequences, whose statistics are constants; others stay. For programs whose batch norms were folded into
// the layers in front of them.
void batch_norms_to_convolutions(Program& program);

}  // namespace torquant
