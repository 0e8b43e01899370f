#pragma once

#include <cstdint>
#include <span>

#include "torquant/core/block_layout.h"

// torchao's simulation of GGUF's Q4_K (docs/semantics.md, Q27): blocks with a scale and a minimum, which are themselves
// scaled per super-block. Nothing is rounded, so no GGUF file can be made of it; here for parity.

namespace torquant {

constexpr int64_t kGgufSuperBlock = 256;  // elements

// By super-block: the scales of the blocks' scales and minima; by block: scales and minima in units of those, 0 to 63.
struct GgufQParams {
  std::span<float> scale_scale;
  std::span<float> min_scale;
  std::span<float> block_scale;
  std::span<float> block_min;
};
struct ConstGgufQParams {
  std::span<const float> scale_scale;
  std::span<const float> min_scale;
  std::span<const float> block_scale;
  std::span<const float> block_min;
};

// Blocks of `layout` lie along the last axis; kGgufSuperBlock elements of a row make a super-block.
void choose_qparams_gguf(const BlockLayout& layout, std::span<const float> input, const GgufQParams& qparams);
void quantize_gguf(const BlockLayout& layout, std::span<const float> input, const ConstGgufQParams& qparams,
                   std::span<float> codes);
void dequantize_gguf(const BlockLayout& layout, std::span<const float> codes, const ConstGgufQParams& qparams,
                     std::span<float> output);

}  // namespace torquant
