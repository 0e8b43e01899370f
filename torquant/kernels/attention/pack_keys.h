#pragma once

#include <cstddef>
#include <cstdint>

namespace torquant {

// Packs 16 rows of codes less 128 as a panel of weights of igemm, whose inputs are the columns.
struct PackKeysArgs {
  size_t quads;          // columns / 4
  const uint8_t* codes;  // [16, codes_step]
  size_t codes_step;     // bytes, a multiple of 16; columns up to the next multiple of 16 are read
  int8_t* packed;        // [quads][16][4], 16-byte aligned
  int32_t* sums;         // [16], Σ of each row's codes less 128
};
void pack_keys(const PackKeysArgs& args);

}  // namespace torquant
