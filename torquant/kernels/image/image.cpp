#include "torquant/kernels/image/image.h"

#include "torquant/kernels/image/image_internal.h"

namespace torquant {
namespace {

constexpr ImageKernels kKernels[] = {
#define TORQUANT_IMAGE_KERNELS(suffix, isa) {#suffix, CpuIsa::isa, quantize_image_##suffix, dequantize_image_##suffix},
#include "torquant/kernels/image/kernels.inc"
#undef TORQUANT_IMAGE_KERNELS
};

}  // namespace

const ImageKernels& select_image_kernels(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
