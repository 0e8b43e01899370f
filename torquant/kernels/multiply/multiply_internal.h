#pragma once

#include "torquant/kernels/multiply/multiply.h"

namespace torquant {

#define TORQUANT_MULTIPLY_KERNEL(function, isa) void function(const MultiplyArgs& args);
#include "torquant/kernels/multiply/kernels.inc"
#undef TORQUANT_MULTIPLY_KERNEL

}  // namespace torquant
