#pragma once

#include <cstddef>

#include "torquant/kernels/cpu_isa.h"

namespace torquant::runtime {

// What this machine can do, for percentages; takes about a third of a second.
struct Roof {
  double macs;        // a second: products of the matrix kernel on data in the first cache
  double float_macs;  // the same, of float32
  double read_bytes;  // a second, from memory
};

// Of `threads` together, with kernels of `isa`. std::bad_alloc and std::system_error pass through.
Roof measure_roof(CpuIsa isa, size_t threads);

}  // namespace torquant::runtime
