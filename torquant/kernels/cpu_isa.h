#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "torquant/core/result.h"

namespace torquant {

// Instruction sets that kernels are written for. All give the same bits.
enum class CpuIsa : uint8_t {
  kScalar,
  kAvx2,        // AVX2 and FMA
  kAvx512Vnni,  // AVX-512 F, BW, DQ, VL and VNNI
  kNeonDot,     // ARMv8.2 with the dot product instructions
};

// Their names, as TORQUANT_FORCE_ISA takes them: "scalar", "avx2", "avx512vnni", "neondot".
std::string_view name_of(CpuIsa isa);

// Whether a CPU that has `isa` runs kernels of `kernel`.
bool includes(CpuIsa isa, CpuIsa kernel);

// The first of `kernels`, best first, that `isa` runs: the last one is scalar, which all run.
template <class Kernel, size_t kCount>
const Kernel& select_kernel(const Kernel (&kernels)[kCount], CpuIsa isa) {
  size_t i = 0;
  while (i + 1 < kCount && !includes(isa, kernels[i].isa)) ++i;
  return kernels[i];
}

// Whether this CPU, and its operating system, have it.
bool cpu_has(CpuIsa isa);

// What kernels shall use here: the one that the environment variable TORQUANT_FORCE_ISA names, or else the best that
// this CPU has. An error where the variable names none or one that the CPU lacks.
Result<CpuIsa> choose_cpu_isa();

}  // namespace torquant
