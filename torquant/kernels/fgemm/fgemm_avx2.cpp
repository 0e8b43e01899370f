#include <immintrin.h>

#include "torquant/kernels/fgemm/fgemm_internal.h"
#include "torquant/kernels/fgemm/fgemm_tiles.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/avx2.inc"

}  // namespace

void fgemm_avx2(const FgemmArgs& args) { fgemm<Lanes, 12, 1>(args); }

}  // namespace torquant
