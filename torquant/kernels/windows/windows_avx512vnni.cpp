#include <immintrin.h>

#include "torquant/kernels/windows/each_window.h"
#include "torquant/kernels/windows/windows_internal.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 says so of its own intrinsics (gcc.gnu.org/PR105593)
#endif

namespace torquant {
namespace {

#include "torquant/kernels/lanes/avx512.inc"

}  // namespace

void depthwise_windows_avx512vnni(const WindowsArgs& args) { depthwise_windows<Lanes>(args); }
void max_windows_avx512vnni(const WindowsArgs& args) { max_windows<Lanes>(args); }
void mean_windows_avx512vnni(const WindowsArgs& args) { mean_windows<Lanes>(args); }

}  // namespace torquant
