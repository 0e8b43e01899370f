#include "torquant/kernels/fgemm/fgemm.h"

#include "torquant/kernels/fgemm/fgemm_internal.h"

namespace torquant {
namespace {

constexpr FgemmKernel kKernels[] = {
#define TORQUANT_FGEMM_KERNEL(function, isa, row_tile) {#function, CpuIsa::isa, function, row_tile},
#include "torquant/kernels/fgemm/kernels.inc"
#undef TORQUANT_FGEMM_KERNEL
};

}  // namespace

const FgemmKernel& select_fgemm(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
