#include "torquant/core/float8.h"

#include <cassert>
#include <cmath>
#include <vector>

#include "torquant/core/choose_qparams.h"
#include "torquant/core/float_formats.h"
#include "torquant/core/rounding.h"

namespace torquant {
namespace {

constexpr int64_t kChunk = 1024;

// Calls map(value, scale) on each element.
template <class Map>
void map_elements(const BlockLayout& layout, const ConstArray& from, const ConstArray& scale, const Array& to,
                  Map map) {
  assert(from.size == layout.num_elements() && scale.size == layout.num_blocks());
  float chunk[kChunk];
  layout.for_each_run(0, layout.num_elements(), [&](int64_t begin, int64_t count, int64_t block) {
    const auto block_scale = static_cast<float>(element(scale, block));
    for (int64_t done = 0; done < count; done += kChunk) {
      const int64_t n = std::min(kChunk, count - done);
      load(from, begin + done, n, chunk);
      for (int64_t i = 0; i < n; ++i) chunk[i] = map(chunk[i], block_scale);
      store(chunk, to, begin + done, n);
    }
  });
}

}  // namespace

void choose_scale_float8(const ChooseScaleFloat8Args& args, const BlockLayout& layout, const ConstArray& input,
                         const Array& scale) {
  const DType compute = input.dtype;
  std::vector<float> low(layout.num_blocks());
  std::vector<float> high(layout.num_blocks());
  block_min_max(input, layout, std::span(low), std::span(high));
  for (int64_t i = 0; i < layout.num_blocks(); ++i) {
    // max |x| of a block is the larger of its ends; NaN in a block is in both.
    float absmax = std::isnan(low[i]) ? low[i] : std::max(-low[i], high[i]);
    if (args.min_absmax) absmax = std::max(absmax, round_to(static_cast<float>(*args.min_absmax), compute));
    if (args.max_absmax) absmax = std::min(absmax, round_to(static_cast<float>(*args.max_absmax), compute));
    float value = round_to(std::fabs(absmax) / float8_max(args.float8), compute);
    if (args.power_of_two) {
      value = round_to(std::exp2(round_half_even(round_to(std::log2(value), compute))), compute);
    }
    store(&value, Array(scale.dtype, scale.data, scale.size), i, 1);
  }
}

void quantize_float8(const BlockLayout& layout, const ConstArray& input, const ConstArray& scale, const Array& codes) {
  const float max = float8_max(codes.dtype);
  map_elements(layout, input, scale, codes, [max](float x, float s) { return clamp_keep_nan(x / s, -max, max); });
}

void dequantize_float8(const BlockLayout& layout, const ConstArray& codes, const ConstArray& scale,
                       const Array& output) {
  map_elements(layout, codes, scale, output, [](float code, float s) { return code * s; });
}

}  // namespace torquant
