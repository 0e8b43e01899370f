#include <bit>
#include <cmath>

#include "torquant/kernels/windows/each_window.h"
#include "torquant/kernels/windows/windows_internal.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/scalar.inc"

}  // namespace

void depthwise_windows_scalar(const WindowsArgs& args) { depthwise_windows<Lanes>(args); }
void max_windows_scalar(const WindowsArgs& args) { max_windows<Lanes>(args); }
void mean_windows_scalar(const WindowsArgs& args) { mean_windows<Lanes>(args); }

}  // namespace torquant
