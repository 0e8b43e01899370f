#include "torquant/kernels/pool/average_pool.h"

#include <algorithm>

#include "torquant/core/requantize.h"

namespace torquant {
namespace {

constexpr size_t kBlock = 64;  // channels whose sums are kept at once

// The part of a window that lies within the image.
struct Clipped {
  size_t begin, end;
};
Clipped clip(size_t output, size_t stride, size_t padding, size_t kernel, size_t size) {
  const size_t begin = output * stride, end = std::min(begin + kernel, size + padding);
  return {std::max(begin, padding) - padding, std::max(end, padding) - padding};
}

}  // namespace

void average_pool(const AveragePoolArgs& args) {
  const Requantization how{.multiplier = args.multiplier, .offset = args.offset};
  for (size_t y = args.out_begin; y < args.out_end; ++y) {
    const Clipped rows = clip(y, args.stride_height, args.padding_height, args.kernel_height, args.in_height);
    for (size_t x = 0; x < args.out_width; ++x) {
      const Clipped columns = clip(x, args.stride_width, args.padding_width, args.kernel_width, args.in_width);
      const auto count = static_cast<int32_t>((rows.end - rows.begin) * (columns.end - columns.begin));
      uint8_t* output = args.output + y * args.out_row_bytes + x * args.out_pixel_bytes;
      for (size_t first = 0; first < args.channels; first += kBlock) {
        const size_t channels = std::min(kBlock, args.channels - first);
        int32_t sums[kBlock];
        std::fill_n(sums, channels, -count * args.zero_point);
        for (size_t row = rows.begin; row < rows.end; ++row) {
          for (size_t column = columns.begin; column < columns.end; ++column) {
            const uint8_t* codes = args.input + row * args.in_row_bytes + column * args.in_pixel_bytes + first;
            for (size_t c = 0; c < channels; ++c) sums[c] += codes[c];
          }
        }
        for (size_t c = 0; c < channels; ++c) output[first + c] = requantize(sums[c], how, args.lo, args.hi);
      }
    }
  }
}

}  // namespace torquant
