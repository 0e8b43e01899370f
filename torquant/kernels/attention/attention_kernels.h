#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

// What attention does for each number between the two products, for each instruction set.

namespace torquant {

// e^x = 2^(x log2 e).
constexpr float kLog2E = 0x1.715476p0f;

// Quantizes rows, each on a symmetric grid of its own (docs/semantics.md, K10). A NaN does not count for the scale, and
// its code is -127.
struct QuantizeTokensArgs {
  size_t rows, columns;
  const float* x;
  size_t x_step;   // floats from row to row
  uint8_t* codes;  // plus 128; behind `columns`, up to the next multiple of 16, 128 is written
  size_t codes_step;
  float* scale;  // [rows]
};

// Quantizes up to 16 columns over all rows in the same way, and packs them as weights of igemm whose inputs are the
// rows.
struct PackValuesArgs {
  size_t rows, columns;
  const float* x;
  size_t x_step;   // floats from row to row
  int8_t* packed;  // [ceil(rows / 4)][16][4], zeros behind the last row and column
  float* scale;    // [16]
};

// Codes of p, 255 for the greatest one of a row (docs/semantics.md, K10.2).
struct WeighKeysArgs {
  size_t rows, keys;
  const float* scores;  // times log2 e
  size_t score_step;    // up to the next multiple of 16 keys, any numbers may be read
  const float* mask;    // null for none
  size_t mask_step;     // 0: the same for all rows
  size_t first_limit;   // row r sees keys [0, min(keys, first_limit + r * limit_step)): SIZE_MAX and 0 for all
  size_t limit_step;
  uint8_t* codes;  // up to the next multiple of 16 keys, zeros are written
  size_t code_step;
  float* inverse_sum;  // [rows], 1 / Σ codes, 0 where a row sees nothing
};

struct AttentionKernels {
  const char* name;
  CpuIsa isa;
  void (*quantize_tokens)(const QuantizeTokensArgs&);
  void (*pack_values)(const PackValuesArgs&);
  void (*weigh_keys)(const WeighKeysArgs&);
};

// The fastest kernels that `isa` runs; the scalar ones always fit.
const AttentionKernels& select_attention_kernels(CpuIsa isa);

#define TORQUANT_ATTENTION_KERNELS(suffix, isa)                  \
  void quantize_tokens_##suffix(const QuantizeTokensArgs& args); \
  void pack_values_##suffix(const PackValuesArgs& args);         \
  void weigh_keys_##suffix(const WeighKeysArgs& args);
#include "torquant/kernels/attention/kernels.inc"
#undef TORQUANT_ATTENTION_KERNELS

}  // namespace torquant
