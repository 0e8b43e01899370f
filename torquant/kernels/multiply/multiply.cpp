#include "torquant/kernels/multiply/multiply.h"

#include "torquant/kernels/multiply/multiply_internal.h"

namespace torquant {
namespace {

constexpr MultiplyKernel kKernels[] = {
#define TORQUANT_MULTIPLY_KERNEL(function, isa) {#function, CpuIsa::isa, function},
#include "torquant/kernels/multiply/kernels.inc"
#undef TORQUANT_MULTIPLY_KERNEL
};

}  // namespace

const MultiplyKernel& select_multiply(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
