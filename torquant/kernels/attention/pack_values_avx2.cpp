#include <immintrin.h>

#include "torquant/kernels/attention/pack_columns.h"
#include "torquant/kernels/attention/pack_values_internal.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/avx2.inc"

}  // namespace

void pack_values_avx2(const PackValuesArgs& args) { pack_values<Lanes>(args); }

}  // namespace torquant
