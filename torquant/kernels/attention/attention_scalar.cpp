#include <bit>
#include <cmath>

#include "torquant/kernels/attention/pack_values.h"
#include "torquant/kernels/attention/quantize_tokens.h"
#include "torquant/kernels/attention/weigh_keys.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/scalar.inc"

struct AttentionLanes : Lanes {
  static TORQUANT_INLINE Ints to_exponents(Ints x) { return static_cast<int32_t>(static_cast<uint32_t>(x) << 23); }
  static TORQUANT_INLINE void store_lowest_bytes(uint8_t* to, const Ints (&x)[16 / kLanes]) {
    for (size_t i = 0; i < 16; ++i) to[i] = static_cast<uint8_t>(x[i] & 0xff);
  }
};

}  // namespace

void quantize_tokens_scalar(const QuantizeTokensArgs& args) { quantize_tokens<AttentionLanes>(args); }
void pack_values_scalar(const PackValuesArgs& args) { pack_values<AttentionLanes>(args); }
void weigh_keys_scalar(const WeighKeysArgs& args) { weigh_keys<AttentionLanes>(args); }

}  // namespace torquant
