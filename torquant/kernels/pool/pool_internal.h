#pragma once

#include "torquant/kernels/pool/pool.h"

namespace torquant {

#define TORQUANT_POOL_KERNELS(suffix, isa)         \
  void max_pool_##suffix(const MaxPoolArgs& args); \
  void global_average_pool_##suffix(const GlobalAveragePoolArgs& args);
#include "torquant/kernels/pool/kernels.inc"
#undef TORQUANT_POOL_KERNELS

}  // namespace torquant
