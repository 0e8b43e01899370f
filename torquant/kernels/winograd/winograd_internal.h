#pragma once

#include "torquant/kernels/winograd/winograd.h"

namespace torquant {

#define TORQUANT_WINOGRAD_KERNEL(function, isa) void function(const WinogradArgs& args);
#include "torquant/kernels/winograd/kernels.inc"
#undef TORQUANT_WINOGRAD_KERNEL

// Between the transformed weights of one position and those of the next, in numbers of 16 bits: else all 16 would fall
// into the same lines of the cache.
constexpr size_t kWinogradGap = 32;

}  // namespace torquant
