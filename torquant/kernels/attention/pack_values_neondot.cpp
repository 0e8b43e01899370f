#include <arm_neon.h>

#include "torquant/kernels/attention/pack_columns.h"
#include "torquant/kernels/attention/pack_values_internal.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/neon.inc"

}  // namespace

void pack_values_neondot(const PackValuesArgs& args) { pack_values<Lanes>(args); }

}  // namespace torquant
