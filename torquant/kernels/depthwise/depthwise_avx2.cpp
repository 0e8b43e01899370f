#include <immintrin.h>

#include "torquant/kernels/depthwise/depthwise_internal.h"
#include "torquant/kernels/depthwise/quad_kernel.h"

#define TORQUANT_INLINE inline __attribute__((always_inline))

namespace torquant {
namespace {

#include "torquant/kernels/depthwise/ymm.inc"

// Without VNNI, and as vpmaddubsw saturates, a quad is multiplied in 16 bits: by vpmaddwd its codes 0 and 2, then 1 and
// 3, which mask and shift widen where they lie.
struct Ymm : YmmLanes {
  struct Factors {
    __m256i even, odd;
  };
  static constexpr size_t kWeightBytes = 64;
  static constexpr size_t kTileOutputs = 4;  // 8 sums and 4 vectors of words, of 16 registers

  static TORQUANT_INLINE __m256i load_first(const void* from, size_t count) {
    if (count == 32) return load(from);
    alignas(32) uint8_t codes[32] = {};
    __builtin_memcpy(codes, from, count);
    return load(codes);
  }
  static TORQUANT_INLINE void store_first(void* to, __m256i codes, size_t count) {
    alignas(32) uint8_t all[32];
    store(all, codes);
    __builtin_memcpy(to, all, count);
  }
  static TORQUANT_INLINE void store_weights(uint8_t* to, __m256i quads) {
    store(to, _mm256_srai_epi16(_mm256_slli_epi16(quads, 8), 8));
    store(to + 32, _mm256_srai_epi16(quads, 8));
  }
  static TORQUANT_INLINE Factors factors(__m256i quads) {
    return {_mm256_and_si256(quads, _mm256_set1_epi16(255)), _mm256_srli_epi16(quads, 8)};
  }
  static TORQUANT_INLINE __m256i dot(__m256i acc, Factors quads, const uint8_t* weights) {
    const __m256i even = _mm256_madd_epi16(quads.even, load(weights));
    const __m256i odd = _mm256_madd_epi16(quads.odd, load(weights + 32));
    return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
  }
};

}  // namespace

void depthwise_u8s8_avx2(const DepthwiseArgs& args) {
  const QuadPlan plan = plan_quads(args);
  list_taps(args, plan, reinterpret_cast<ptrdiff_t*>(args.scratch + plan.taps));
  for (size_t channel = 0; channel < args.channels; channel += Ymm::kBytes) run_block<Ymm>(args, plan, channel);
}

}  // namespace torquant
