#include "torquant/kernels/igemm/igemm.h"

#include "torquant/kernels/igemm/igemm_internal.h"

namespace torquant {
namespace {

constexpr IgemmKernel kKernels[] = {
#define TORQUANT_IGEMM_KERNEL(function, isa, row_tile) {#function, CpuIsa::isa, function, row_tile},
#include "torquant/kernels/igemm/kernels.inc"
#undef TORQUANT_IGEMM_KERNEL
};

}  // namespace

const IgemmKernel& select_igemm(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
