#include "torquant/core/requantize.h"
#include "torquant/kernels/pool/pool_internal.h"

namespace torquant {

void max_pool_scalar(const MaxPoolArgs& args) {
  for (size_t y = args.out_begin; y < args.out_end; ++y) {
    for (size_t x = 0; x < args.out_width; ++x) {
      uint8_t* output = args.output + y * args.out_row_bytes + x * args.out_pixel_bytes;
      for (size_t c = 0; c < args.channels; ++c) {
        uint8_t most = 0;
        for (size_t i = 0; i < args.kernel_height; ++i) {
          // Rows above the image wrap around to large numbers.
          const size_t row = y * args.stride_height + i * args.dilation_height - args.padding_height;
          for (size_t j = 0; row < args.in_height && j < args.kernel_width; ++j) {
            const size_t column = x * args.stride_width + j * args.dilation_width - args.padding_width;
            if (column >= args.in_width) continue;
            const uint8_t code = args.input[row * args.in_row_bytes + column * args.in_pixel_bytes + c];
            most = code > most ? code : most;
          }
        }
        output[c] = most;
      }
    }
  }
}

void global_average_pool_scalar(const GlobalAveragePoolArgs& args) {
  const Requantization how{.multiplier = args.multiplier, .offset = args.offset};
  for (size_t c = 0; c < args.channels; ++c) {
    int32_t sum = args.start;
    for (size_t row = 0; row < args.planes * args.height; ++row) {
      const size_t z = row / args.height, y = row % args.height;
      const uint8_t* code = args.input + z * args.plane_bytes + y * args.row_bytes + c;
      for (size_t x = 0; x < args.width; ++x) sum += code[x * args.pixel_bytes];
    }
    args.output[c] = requantize(sum, how, args.lo, args.hi);
  }
}

}  // namespace torquant
