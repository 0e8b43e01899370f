#include "torquant/kernels/add/add.h"

#include "torquant/kernels/add/add_internal.h"

namespace torquant {
namespace {

constexpr AddKernel kKernels[] = {
#define TORQUANT_ADD_KERNEL(function, isa) {#function, CpuIsa::isa, function},
#include "torquant/kernels/add/kernels.inc"
#undef TORQUANT_ADD_KERNEL
};

}  // namespace

const AddKernel& select_add(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
