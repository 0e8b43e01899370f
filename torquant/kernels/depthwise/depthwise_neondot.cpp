#include <arm_neon.h>

#include "torquant/kernels/depthwise/depthwise_internal.h"
#include "torquant/kernels/depthwise/quad_kernel.h"

namespace torquant {
namespace {

#include "torquant/kernels/neon.inc"

// sdot takes signed bytes alone: codes lose 128 when they are interleaved (load_codes), and sums start with
// 128 * Σ weight more. Four taps of 8 outputs and 8 channels take 16 sdot and 12 loads: 8 cycles, which are those of
// the products, where two vector instructions and two loads begin in one (Neoverse N1).
struct Neon {
  using Codes = uint8x16_t;
  static constexpr size_t kBytes = 16, kLanes = 4, kWeightBytes = 16, kSegments = 1, kChannels = 16;
  static constexpr size_t kTileOutputs = 8;  // 16 sums of half of the channels, 8 vectors of words of the others

  static TORQUANT_INLINE uint8x16_t zero() { return vdupq_n_u8(0); }
  static TORQUANT_INLINE uint8x16_t load(const void* from) { return vld1q_u8(static_cast<const uint8_t*>(from)); }
  static TORQUANT_INLINE uint8x16_t load_codes(const uint8_t* from) {
    return veorq_u8(vld1q_u8(from), vdupq_n_u8(128));
  }
  static TORQUANT_INLINE uint8x16_t load_first(const void* from, size_t count) {
    if (count == 16) return load(from);
    uint8_t codes[16] = {};
    __builtin_memcpy(codes, from, count);
    return load(codes);
  }
  static TORQUANT_INLINE void store(uint8_t* to, uint8x16_t codes) { vst1q_u8(to, codes); }
  static TORQUANT_INLINE void store_unaligned(uint8_t* to, uint8x16_t codes) { store(to, codes); }
  static TORQUANT_INLINE void store_first(uint8_t* to, uint8x16_t codes, size_t count) {
    uint8_t all[16];
    store(all, codes);
    __builtin_memcpy(to, all, count);
  }
  static TORQUANT_INLINE uint8x16_t zip_low8(uint8x16_t a, uint8x16_t b) { return vzip1q_u8(a, b); }
  static TORQUANT_INLINE uint8x16_t zip_high8(uint8x16_t a, uint8x16_t b) { return vzip2q_u8(a, b); }
  static TORQUANT_INLINE uint8x16_t zip_low16(uint8x16_t a, uint8x16_t b) {
    return vreinterpretq_u8_u16(vzip1q_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
  }
  static TORQUANT_INLINE uint8x16_t zip_high16(uint8x16_t a, uint8x16_t b) {
    return vreinterpretq_u8_u16(vzip2q_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
  }

  static TORQUANT_INLINE void store_weights(uint8_t* to, uint8x16_t quads) { store(to, quads); }
  static TORQUANT_INLINE uint8x16_t factors(uint8x16_t quads) { return quads; }
  static TORQUANT_INLINE uint8x16_t dot(uint8x16_t acc, uint8x16_t quads, const uint8_t* weights) {
    // With the intrinsic, whose sums are of another type, g++ 12 copies them around: 24 cycles in place of 8.
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(quads), "w"(load(weights)));
    return acc;
  }

  static TORQUANT_INLINE float32x4_t load_floats(const float* from) { return vld1q_f32(from); }
  static TORQUANT_INLINE float32x4_t broadcast(float value) { return vdupq_n_f32(value); }
  static TORQUANT_INLINE float32x4_t multiply_add(uint8x16_t integers, float32x4_t by, float32x4_t to) {
    return vfmaq_f32(to, vcvtq_f32_s32(vreinterpretq_s32_u8(integers)), by);
  }
  static TORQUANT_INLINE uint8x16_t round(float32x4_t steps) { return vreinterpretq_u8_s32(vcvtnq_s32_f32(steps)); }
  static TORQUANT_INLINE uint8x16_t steps_to_words(uint8x16_t a, uint8x16_t b) {
    return vreinterpretq_u8_s16(vqmovn_high_s32(vqmovn_s32(vreinterpretq_s32_u8(a)), vreinterpretq_s32_u8(b)));
  }
  static TORQUANT_INLINE uint8x16_t words_to_codes(uint8x16_t a, uint8x16_t b) {
    return vqmovun_high_s16(vqmovun_s16(vreinterpretq_s16_u8(a)), vreinterpretq_s16_u8(b));
  }
  static TORQUANT_INLINE uint8x16_t clamp(uint8x16_t codes, uint8_t lo, uint8_t hi) {
    return vminq_u8(vmaxq_u8(codes, vdupq_n_u8(lo)), vdupq_n_u8(hi));
  }
};

// 16 channels from `channel` on, as arguments of their own.
void run_channels(DepthwiseArgs args, const QuadPlan& plan, size_t channel) {
  int32_t start[16];
  __builtin_memcpy(start, args.start + channel, sizeof(start));
  args.weights += channel;
  const int8_t* weights = args.weights;
  for (size_t tap = 0; tap < args.kernel_height * args.kernel_width; ++tap, weights += args.weight_step) {
    for (size_t c = 0; c < 16; ++c) start[c] += 128 * weights[c];
  }
  args.channels -= channel;
  args.input += channel;
  args.start = start;
  args.multiplier += channel;
  args.offset += channel;
  args.output += channel;
  if (args.residual != nullptr) args.residual += channel;
  run_block<Neon>(args, plan, 0);
}

}  // namespace

void depthwise_u8s8_neondot(const DepthwiseArgs& args) {
  const QuadPlan plan = plan_quads(args);
  list_taps(args, plan, reinterpret_cast<ptrdiff_t*>(args.scratch + plan.taps));
  for (size_t channel = 0; channel < args.channels; channel += Neon::kBytes) run_channels(args, plan, channel);
}

}  // namespace torquant
