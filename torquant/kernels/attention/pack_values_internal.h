#pragma once

#include "torquant/kernels/attention/pack_values.h"

namespace torquant {

#define TORQUANT_PACK_VALUES_KERNEL(suffix, isa) void pack_values_##suffix(const PackValuesArgs& args);
#include "torquant/kernels/attention/kernels.inc"
#undef TORQUANT_PACK_VALUES_KERNEL

}  // namespace torquant
