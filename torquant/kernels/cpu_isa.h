#pragma once

#include <cstdint>
#include <string_view>

#include "torquant/core/result.h"

namespace torquant {

// Instruction sets that kernels are written for. Which of them give the same bits: all.
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

// Whether this CPU, and its operating system, have it.
bool cpu_has(CpuIsa isa);

// What kernels shall use here: the one that the environment variable TORQUANT_FORCE_ISA names, or else the best that
// this CPU has. An error where the variable names none or one that the CPU lacks.
Result<CpuIsa> choose_cpu_isa();

}  // namespace torquant
