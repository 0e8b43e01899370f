#include "torquant/kernels/cpu_isa.h"

#include <cstdlib>
#include <string>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace torquant {
namespace {

constexpr CpuIsa kBestFirst[] = {CpuIsa::kAvx512Vnni, CpuIsa::kAvx2, CpuIsa::kNeonDot, CpuIsa::kScalar};

// All that this CPU has, best first.
std::string names_of_all() {
  std::string names;
  for (const CpuIsa isa : kBestFirst) {
    if (cpu_has(isa)) names += (names.empty() ? "" : ", ") + std::string(name_of(isa));
  }
  return names;
}

}  // namespace

std::string_view name_of(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::kScalar:
      return "scalar";
    case CpuIsa::kAvx2:
      return "avx2";
    case CpuIsa::kAvx512Vnni:
      return "avx512vnni";
    case CpuIsa::kNeonDot:
      return "neondot";
  }
  return "";
}

bool includes(CpuIsa isa, CpuIsa kernel) {
  if (kernel == CpuIsa::kScalar || isa == kernel) return true;
  return isa == CpuIsa::kAvx512Vnni && kernel == CpuIsa::kAvx2;
}

#if defined(__x86_64__)
bool cpu_has(CpuIsa isa) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  switch (isa) {
    case CpuIsa::kScalar:
      return true;
    case CpuIsa::kAvx2:
      return avx2;
    case CpuIsa::kAvx512Vnni:
      return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512vnni");
    case CpuIsa::kNeonDot:
      return false;
  }
  return false;
}
#elif defined(__aarch64__)
bool cpu_has(CpuIsa isa) {
  if (isa == CpuIsa::kNeonDot) return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  return isa == CpuIsa::kScalar;
}
#else
bool cpu_has(CpuIsa isa) { return isa == CpuIsa::kScalar; }
#endif

Result<CpuIsa> choose_cpu_isa() {
  const char* forced = std::getenv("TORQUANT_FORCE_ISA");
  for (const CpuIsa isa : kBestFirst) {
    if (forced != nullptr && forced != name_of(isa)) continue;
    if (cpu_has(isa)) return isa;
    if (forced != nullptr) {
      return ErrorText{
          .where = "TORQUANT_FORCE_ISA", .what = "this CPU lacks " + std::string(forced), .allowed = names_of_all()};
    }
  }
  return ErrorText{.where = "TORQUANT_FORCE_ISA",
                   .what = "\"" + std::string(forced) + "\" is no instruction set that kernels are written for",
                   .allowed = names_of_all()};
}

}  // namespace torquant
