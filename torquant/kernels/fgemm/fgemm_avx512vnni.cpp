#include <immintrin.h>

#include "torquant/kernels/fgemm/fgemm_internal.h"
#include "torquant/kernels/fgemm/fgemm_tiles.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 says so of its own intrinsics (gcc.gnu.org/PR105593)
#endif

namespace torquant {
namespace {

#include "torquant/kernels/lanes/avx512.inc"

}  // namespace

void fgemm_avx512vnni(const FgemmArgs& args) { fgemm<Lanes, 24, 2>(args); }

}  // namespace torquant
