#pragma once

#include "torquant/kernels/fgemm/fgemm.h"

namespace torquant {

#define TORQUANT_FGEMM_KERNEL(function, isa, row_tile) void function(const FgemmArgs& args);
#include "torquant/kernels/fgemm/kernels.inc"
#undef TORQUANT_FGEMM_KERNEL

}  // namespace torquant
