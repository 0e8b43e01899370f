#include "torquant/kernels/attention/pack_values.h"

#include "torquant/kernels/attention/pack_values_internal.h"

namespace torquant {
namespace {

constexpr PackValuesKernel kKernels[] = {
#define TORQUANT_PACK_VALUES_KERNEL(suffix, isa) {"pack_values_" #suffix, CpuIsa::isa, pack_values_##suffix},
#include "torquant/kernels/attention/kernels.inc"
#undef TORQUANT_PACK_VALUES_KERNEL
};

}  // namespace

const PackValuesKernel& select_pack_values(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
