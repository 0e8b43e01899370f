#pragma once

#include "torquant/kernels/windows/windows.h"

namespace torquant {

#define TORQUANT_WINDOWS_KERNELS(suffix, isa)               \
  void depthwise_windows_##suffix(const WindowsArgs& args); \
  void max_windows_##suffix(const WindowsArgs& args);       \
  void mean_windows_##suffix(const WindowsArgs& args);
#include "torquant/kernels/windows/kernels.inc"
#undef TORQUANT_WINDOWS_KERNELS

}  // namespace torquant
