#pragma once

#include <cstddef>
#include <cstdint>

#include "torquant/kernels/cpu_isa.h"

namespace torquant {

// The sum of two rows of codes on grids of their own (docs/semantics.md, K4):
//   code = clamp(rne(a * a_multiplier + (b * b_multiplier + offset)), lo, hi)      each product and sum rounded once
struct AddArgs {
  size_t count;
  const uint8_t* a;
  const uint8_t* b;
  uint8_t* output;  // may be a or b
  float a_multiplier, b_multiplier, offset;
  uint8_t lo, hi;
};

struct AddKernel {
  const char* name;
  CpuIsa isa;
  void (*run)(const AddArgs&);
};

const AddKernel& select_add(CpuIsa isa);

}  // namespace torquant
