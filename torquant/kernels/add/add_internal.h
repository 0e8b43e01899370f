#pragma once

#include "torquant/kernels/add/add.h"

namespace torquant {

#define TORQUANT_ADD_KERNEL(function, isa) void function(const AddArgs& args);
#include "torquant/kernels/add/kernels.inc"
#undef TORQUANT_ADD_KERNEL

}  // namespace torquant
