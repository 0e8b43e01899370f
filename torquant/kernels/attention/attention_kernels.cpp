#include "torquant/kernels/attention/attention_kernels.h"

namespace torquant {
namespace {

constexpr AttentionKernels kKernels[] = {
#define TORQUANT_ATTENTION_KERNELS(suffix, isa) \
  {#suffix, CpuIsa::isa, quantize_tokens_##suffix, pack_values_##suffix, weigh_keys_##suffix},
#include "torquant/kernels/attention/kernels.inc"
#undef TORQUANT_ATTENTION_KERNELS
};

}  // namespace

const AttentionKernels& select_attention_kernels(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
