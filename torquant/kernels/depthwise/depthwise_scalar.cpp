#include "torquant/core/requantize.h"
#include "torquant/kernels/depthwise/depthwise_internal.h"

namespace torquant {

// The reference: K1 to K3 as they are written.
void depthwise_u8s8_scalar(const DepthwiseArgs& args) {
  for (size_t y = 0; y < args.output_height; ++y) {
    for (size_t x = 0; x < args.output_width; ++x) {
      const uint8_t* input =
          args.input + y * args.stride_height * args.input_row_step + x * args.stride_width * args.input_pixel_step;
      uint8_t* output = args.output + y * args.output_row_step + x * args.output_pixel_step;
      for (size_t c = 0; c < args.channels; ++c) {
        int32_t accumulator = args.start[c];
        const int8_t* weight = args.weights + c;
        for (size_t i = 0; i < args.kernel_height; ++i) {
          const uint8_t* row = input + i * args.dilation_height * args.input_row_step + c;
          for (size_t j = 0; j < args.kernel_width; ++j, weight += args.weight_step) {
            accumulator += row[j * args.dilation_width * args.input_pixel_step] * *weight;
          }
        }
        const Requantization how{.multiplier = args.multiplier[c], .offset = args.offset[c]};
        if (args.residual == nullptr) {
          output[c] = requantize(accumulator, how, args.lo, args.hi);
        } else {
          const uint8_t residual = args.residual[y * args.residual_row_step + x * args.residual_pixel_step + c];
          output[c] = requantize(accumulator, how, residual, args.residual_multiplier, args.lo, args.hi);
        }
      }
    }
  }
}

}  // namespace torquant
