#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// Linear layers on codes of [N, T, C] or [N, H, W, C] become 1x1 convolutions on images as the runtime has them: the
// codes permuted to [N, C, T] or [N, C, H, W], convolved, permuted back. Sums and clamps between a layer and its
// quantize node are computed on the permuted numbers, so that they can be fused; where two permutations meet, nothing
// moves.
PassResult rewrite_linear_of_images(Program& program);

}  // namespace torquant
