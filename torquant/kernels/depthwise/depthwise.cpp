#include "torquant/kernels/depthwise/depthwise.h"

#include "torquant/kernels/depthwise/depthwise_internal.h"
#include "torquant/kernels/depthwise/quad_plan.h"

namespace torquant {
namespace {

constexpr DepthwiseKernel kKernels[] = {
#define TORQUANT_DEPTHWISE_KERNEL(function, isa) {#function, CpuIsa::isa, function},
#include "torquant/kernels/depthwise/kernels.inc"
#undef TORQUANT_DEPTHWISE_KERNEL
};

}  // namespace

size_t depthwise_scratch_bytes(const DepthwiseArgs& args) { return plan_quads(args).scratch_bytes; }

const DepthwiseKernel& select_depthwise(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
