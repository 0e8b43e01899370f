#include <bit>
#include <cmath>

#include "torquant/kernels/attention/pack_values.h"
#include "torquant/kernels/attention/quantize_tokens.h"
#include "torquant/kernels/attention/weigh_keys.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/scalar.inc"

struct AttentionLanes : Lanes {
  // t - floor t.
  static TORQUANT_INLINE Floats fraction(Floats t) { return t - std::floor(t); }
  // x * 2^(floor t), of x from 1/2 to 1024 and t from -20 to 0.
  static TORQUANT_INLINE Floats times_power_of_floor(Floats x, Floats t) {
    return x * std::bit_cast<float>((static_cast<int32_t>(std::floor(t)) + 127) << 23);
  }
  // The lowest 8 bits of sixteen numbers.
  static TORQUANT_INLINE void store_lowest_bytes(uint8_t* to, const Ints (&x)[16 / kLanes]) {
    for (size_t i = 0; i < 16; ++i) to[i] = static_cast<uint8_t>(x[i] & 0xff);
  }
};

}  // namespace

void quantize_tokens_scalar(const QuantizeTokensArgs& args) { quantize_tokens<AttentionLanes>(args); }
void pack_values_scalar(const PackValuesArgs& args) { pack_values<AttentionLanes>(args); }
void weigh_keys_scalar(const WeighKeysArgs& args) { weigh_keys<AttentionLanes>(args); }

}  // namespace torquant
