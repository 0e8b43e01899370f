#include "torquant/kernels/winograd/winograd.h"

#include <array>

#include "torquant/kernels/winograd/winograd_internal.h"

namespace torquant {
namespace {

constexpr auto kKernels = std::to_array<WinogradKernel>({
#define TORQUANT_WINOGRAD_KERNEL(function, isa) {#function, CpuIsa::isa, function},
#include "torquant/kernels/winograd/kernels.inc"
#undef TORQUANT_WINOGRAD_KERNEL
    {nullptr, CpuIsa::kScalar, nullptr},
});

// Below them transforming costs what multiplying saves.
constexpr size_t kLeastInputs = 32, kLeastTiles = 12;

}  // namespace

size_t winograd_scratch_bytes(size_t inputs) {
  return (kWinogradTiles * 16 * inputs + 16 * (inputs * 16 + kWinogradGap)) * sizeof(int16_t);
}

const WinogradKernel* select_winograd(CpuIsa isa, size_t inputs, size_t height, size_t width) {
  if (inputs % 16 != 0 || inputs < kLeastInputs || inputs > kMostWinogradInputs || height < 2 || width < 2 ||
      winograd_tiles(height, width) < kLeastTiles)
    return nullptr;
  for (const WinogradKernel& kernel : kKernels) {
    if (kernel.isa == isa && kernel.run != nullptr) return &kernel;
  }
  return nullptr;
}

}  // namespace torquant
