#pragma once

#include "torquant/kernels/depthwise/depthwise.h"

namespace torquant {

#define TORQUANT_DEPTHWISE_KERNEL(function, isa) void function(const DepthwiseArgs& args);
#include "torquant/kernels/depthwise/kernels.inc"
#undef TORQUANT_DEPTHWISE_KERNEL

}  // namespace torquant
