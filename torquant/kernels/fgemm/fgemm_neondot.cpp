#include <arm_neon.h>

#include "torquant/kernels/fgemm/fgemm_internal.h"
#include "torquant/kernels/fgemm/fgemm_tiles.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/neon.inc"

}  // namespace

void fgemm_neondot(const FgemmArgs& args) { fgemm<Lanes, 24, 1>(args); }

}  // namespace torquant
