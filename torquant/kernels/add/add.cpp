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

const AddKernel& select_add(CpuIsa isa) {
  for (const AddKernel& kernel : kKernels) {
    if (includes(isa, kernel.isa)) return kernel;
  }
  return kKernels[0];  // never reached: the last one runs everywhere
}

}  // namespace torquant
