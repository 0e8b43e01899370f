#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// Quantizes up to 16 columns over all rows, each on a symmetric grid of its own (docs/semantics.md, K11), and packs
// them as weights of igemm whose inputs are the rows: packed[row / 4][16][4], 0 behind the last row and column.
//   scale = max(max|x| / 127, 2^-23), code = clamp(rne(x * (1 / scale)), -127, 127)
// A NaN does not count for the scale, and its code is -127.
struct PackValuesArgs {
  size_t rows, columns;
  const float* x;
  size_t x_step;   // floats from row to row
  int8_t* packed;  // [ceil(rows / 4)][16][4], 16-byte aligned
  float* scale;    // [16]
};

struct PackValuesKernel {
  const char* name;
  CpuIsa isa;
  void (*run)(const PackValuesArgs&);
};

const PackValuesKernel& select_pack_values(CpuIsa isa);

}  // namespace torquant
