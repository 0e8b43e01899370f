#include <immintrin.h>

#include "torquant/kernels/fgemm/fgemm_internal.h"
#include "torquant/kernels/fgemm/fgemm_tiles.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/avx512.inc"

}  // namespace

void fgemm_avx512vnni(const FgemmArgs& args) { fgemm<Lanes, 24, 2>(args); }

}  // namespace torquant
