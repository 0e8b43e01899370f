#include <arm_neon.h>

#include "torquant/kernels/windows/each_window.h"
#include "torquant/kernels/windows/windows_internal.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/neon.inc"

}  // namespace

void depthwise_windows_neondot(const WindowsArgs& args) { depthwise_windows<Lanes>(args); }
void max_windows_neondot(const WindowsArgs& args) { max_windows<Lanes>(args); }
void mean_windows_neondot(const WindowsArgs& args) { mean_windows<Lanes>(args); }

}  // namespace torquant
