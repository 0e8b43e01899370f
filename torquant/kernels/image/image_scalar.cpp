#include "torquant/core/rounding.h"
#include "torquant/kernels/image/image_internal.h"

namespace torquant {

void quantize_image_scalar(const ImageArgs& args) {
  const float lo = static_cast<float>(args.lo - args.zero_point), hi = static_cast<float>(args.hi - args.zero_point);
  for (size_t c = 0; c < args.channels; ++c) {
    const float* number = args.numbers + c * args.channel_step;
    for (size_t y = 0; y < args.height; ++y) {
      uint8_t* code = args.codes + y * args.row_bytes + c;
      for (size_t x = 0; x < args.width; ++x, code += args.pixel_bytes) {
        float steps = *number++ * args.inverse_scale;
        steps = steps > lo ? steps : lo;  // NaN: lo
        steps = steps < hi ? steps : hi;
        *code = static_cast<uint8_t>(static_cast<int32_t>(round_half_even(steps)) + args.zero_point);
      }
    }
  }
}

void dequantize_image_scalar(const ImageArgs& args) {
  for (size_t c = 0; c < args.channels; ++c) {
    float* number = args.numbers + c * args.channel_step;
    for (size_t y = 0; y < args.height; ++y) {
      const uint8_t* code = args.codes + y * args.row_bytes + c;
      for (size_t x = 0; x < args.width; ++x, code += args.pixel_bytes) {
        *number++ = static_cast<float>(*code - args.zero_point) * args.scale;
      }
    }
  }
}

}  // namespace torquant
