#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

// What attention does for each number between the two products, for each instruction set.

namespace torquant {

// Quantizes up to 16 columns over all rows, each on a symmetric grid of its own (docs/semantics.md, K11), and packs
// them as weights of igemm whose inputs are the rows.
//   scale = max(max|x| / 127, 2^-23), code = clamp(rne(x * (1 / scale)), -127, 127)
// A NaN does not count for the scale, and its code is -127.
struct PackValuesArgs {
  size_t rows, columns;
  const float* x;
  size_t x_step;   // floats from row to row
  int8_t* packed;  // [ceil(rows / 4)][16][4], zeros behind the last row and column
  float* scale;    // [16]
};

// Codes of p = softmax(scores * scale + mask), times 255 / max p (docs/semantics.md, K12):
//   s = scores * (scale * log2 e), with a mask fma(mask, log2 e, s); t = max(s - max s, -20)
//   n = rne(t), code = rne(P(t - n) * 2^n) with the cubic P nearest to 255 * 2^f (within 7.5e-5 of it)
// 0 for keys that a row does not see, for -inf, and for NaN; a row of +inf alone sees nothing.
struct WeighKeysArgs {
  size_t rows, keys;
  const float* scores;
  size_t score_step;   // up to the next multiple of 16 keys, any numbers may be read
  const float* scale;  // [rows], above 0
  const float* mask;   // null for none
  size_t mask_step;    // 0: the same for all rows
  size_t first_limit;  // row r sees keys [0, min(keys, first_limit + r * limit_step)): SIZE_MAX and 0 for all
  size_t limit_step;
  uint8_t* codes;  // up to the next multiple of 16 keys, zeros are written
  size_t code_step;
  float* inverse_sum;  // [rows], 1 / Σ codes, 0 where a row sees nothing
};

struct AttentionKernels {
  const char* name;
  CpuIsa isa;
  void (*pack_values)(const PackValuesArgs&);
  void (*weigh_keys)(const WeighKeysArgs&);
};

// The fastest kernels that `isa` runs; the scalar ones always fit.
const AttentionKernels& select_attention_kernels(CpuIsa isa);

#define TORQUANT_ATTENTION_KERNELS(suffix, isa)          \
  void pack_values_##suffix(const PackValuesArgs& args); \
  void weigh_keys_##suffix(const WeighKeysArgs& args);
#include "torquant/kernels/attention/kernels.inc"
#undef TORQUANT_ATTENTION_KERNELS

}  // namespace torquant
