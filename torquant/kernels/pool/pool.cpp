#include "torquant/kernels/pool/pool.h"

#include "torquant/kernels/pool/pool_internal.h"

namespace torquant {
namespace {

constexpr PoolKernels kKernels[] = {
#define TORQUANT_POOL_KERNELS(suffix, isa) {#suffix, CpuIsa::isa, max_pool_##suffix, global_average_pool_##suffix},
#include "torquant/kernels/pool/kernels.inc"
#undef TORQUANT_POOL_KERNELS
};

}  // namespace

const PoolKernels& select_pool_kernels(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
