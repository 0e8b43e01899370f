#include <bit>
#include <cmath>

#include "torquant/kernels/fgemm/fgemm_internal.h"
#include "torquant/kernels/fgemm/fgemm_tiles.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/scalar.inc"

}  // namespace

void fgemm_scalar(const FgemmArgs& args) { fgemm<Lanes, 32, 1>(args); }

}  // namespace torquant
