#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// Quantizes constants now: the program keeps the integers, the float tensor goes (remove_dead_state).
//
//   %q = quantize_per_channel(%p_conv_weight, ...)   ⇒   a buffer of the weight's name that holds the codes
//
// The buffer takes the name of the float tensor when nothing else reads that.
PassResult fold_quantize_constants(Program& program);

}  // namespace torquant
