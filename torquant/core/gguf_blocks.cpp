#include "torquant/core/gguf_blocks.h"

#include <cassert>
#include <cmath>

#include "torquant/core/array.h"
#include "torquant/core/choose_qparams.h"
#include "torquant/core/rounding.h"

namespace torquant {
namespace {

constexpr float kLargestCode = 15;    // four bits
constexpr float kLargestQParam = 63;  // six bits

int64_t blocks_per_super_block(const BlockLayout& layout) { return kGgufSuperBlock / layout.block_size().back(); }

// values[i] in units of its super-block's largest magnitude / 63; that unit goes to super_scale.
void quantize_qparams(int64_t blocks, std::span<float> values, std::span<float> super_scale) {
  for (size_t s = 0; s < super_scale.size(); ++s) {
    const std::span<float> group = values.subspan(s * blocks, blocks);
    float absmax = 0;
    for (const float value : group) {
      absmax = std::isnan(absmax) || std::fabs(value) <= absmax ? absmax : std::fabs(value);
    }
    super_scale[s] = absmax / kLargestQParam;
    for (float& value : group) value = clamp_keep_nan(value / super_scale[s], 0.0f, kLargestQParam);
  }
}

// Calls map(x, scale, min) on each element.
template <class Map>
void map_elements(const BlockLayout& layout, std::span<const float> from, const ConstGgufQParams& qparams,
                  std::span<float> to, Map map) {
  const int64_t blocks = blocks_per_super_block(layout);
  layout.for_each_run(0, layout.num_elements(), [&](int64_t begin, int64_t count, int64_t block) {
    const float scale = qparams.scale_scale[block / blocks] * qparams.block_scale[block];
    const float min = qparams.min_scale[block / blocks] * qparams.block_min[block];
    for (int64_t i = begin; i < begin + count; ++i) to[i] = map(from[i], scale, min);
  });
}

}  // namespace

void choose_qparams_gguf(const BlockLayout& layout, std::span<const float> input, const GgufQParams& qparams) {
  std::span<float> min = qparams.block_min;
  std::span<float> max = qparams.block_scale;
  block_min_max(input, layout, min, max);
  for (size_t i = 0; i < min.size(); ++i) qparams.block_scale[i] = (max[i] - min[i]) / kLargestCode;
  quantize_qparams(blocks_per_super_block(layout), qparams.block_scale, qparams.scale_scale);
  quantize_qparams(blocks_per_super_block(layout), qparams.block_min, qparams.min_scale);
}

void quantize_gguf(const BlockLayout& layout, std::span<const float> input, const ConstGgufQParams& qparams,
                   std::span<float> codes) {
  map_elements(layout, input, qparams, codes, [](float x, float scale, float min) { return (x - min) / scale; });
}

void dequantize_gguf(const BlockLayout& layout, std::span<const float> codes, const ConstGgufQParams& qparams,
                     std::span<float> output) {
  map_elements(layout, codes, qparams, output, [](float code, float scale, float min) { return code * scale + min; });
}

}  // namespace torquant
