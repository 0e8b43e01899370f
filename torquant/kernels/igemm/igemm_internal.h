#pragma once

#include "torquant/kernels/igemm/igemm.h"

namespace torquant {

#define TORQUANT_IGEMM_KERNEL(function, isa, row_tile) void function(const IgemmArgs& args);
#include "torquant/kernels/igemm/kernels.inc"
#undef TORQUANT_IGEMM_KERNEL

}  // namespace torquant
