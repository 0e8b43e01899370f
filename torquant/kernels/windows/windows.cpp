#include "torquant/kernels/windows/windows.h"

#include "torquant/kernels/windows/windows_internal.h"

namespace torquant {
namespace {

constexpr WindowsKernels kKernels[] = {
#define TORQUANT_WINDOWS_KERNELS(suffix, isa) \
  {#suffix, CpuIsa::isa, depthwise_windows_##suffix, max_windows_##suffix, mean_windows_##suffix},
#include "torquant/kernels/windows/kernels.inc"
#undef TORQUANT_WINDOWS_KERNELS
};

}  // namespace

const WindowsKernels& select_windows_kernels(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
