#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// The product of two rows of codes on grids of their own (docs/semantics.md, K6):
//   code = clamp(rne((a - a_zero_point) * (b - b_zero_point) * multiplier + offset), lo, hi)    the sum rounded once
struct MultiplyArgs {
  size_t count;
  const uint8_t* a;
  const uint8_t* b;
  uint8_t* output;  // may be a or b
  int32_t a_zero_point, b_zero_point;
  float multiplier, offset;
  uint8_t lo, hi;
};

struct MultiplyKernel {
  const char* name;
  CpuIsa isa;
  void (*run)(const MultiplyArgs&);
};

const MultiplyKernel& select_multiply(CpuIsa isa);

}  // namespace torquant
