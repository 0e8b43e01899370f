#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/igemm/igemm.h"

namespace torquant {

// A 3x3 convolution of stride 1 by Winograd's F(2x2, 3x3): 16 products for 4 output pixels in place of 36, exactly. Of
// an input d of 4x4 pixels, a kernel g and the output y of 2x2,
//
//   4 y = Aᵀ [ Σ_c (2G g 2Gᵀ) ∘ (Bᵀ d B) ] A
//
// has integers alone: codes become 1,020 at most, weights 1,152, which 16 bits hold, and 4 y is a multiple of 4. Sums
// may leave 32 bits on their way, as they come back; 4 y itself does not (kMostWinogradInputs). So y is the same
// as that of igemm, and so is all that follows from it (K2, K3).
//
// Weights are transformed as they are needed, a panel at a time, into scratch memory: once for as many tiles as that
// holds, a few percent of the time, in place of weights of 3.6 times the size.
struct WinogradArgs {
  IgemmArgs product;         // of all pixels of the output: row m is pixel (m / width, m % width); 3 runs of 3 * inputs
  size_t width;              // of the output, as its height 2 or more
  size_t first_tile, tiles;  // which of winograd_tiles(), row by row
  uint8_t* scratch;          // [winograd_scratch_bytes(inputs)], 64-byte aligned
};

constexpr size_t kMostWinogradInputs = 1024;  // 4 * 9 * 255 * 128 * inputs < 2^31; more take much scratch memory

// How many tiles of 2x2 cover an image; the last ones of its rows and columns may reach over others.
inline size_t winograd_tiles(size_t height, size_t width) { return (height + 1) / 2 * ((width + 1) / 2); }

// That many share the transformed weights.
constexpr size_t kWinogradTiles = 60;

size_t winograd_scratch_bytes(size_t inputs);

struct WinogradKernel {
  const char* name;
  CpuIsa isa;
  void (*run)(const WinogradArgs& args);
};

// The kernel for such convolutions of `inputs` channels to an image of height x width, where `isa` has one that is
// faster than igemm's; or null.
const WinogradKernel* select_winograd(CpuIsa isa, size_t inputs, size_t height, size_t width);

}  // namespace torquant
