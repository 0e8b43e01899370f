#include <bit>
#include <cmath>

#include "torquant/kernels/attention/pack_columns.h"
#include "torquant/kernels/attention/pack_values_internal.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/scalar.inc"

}  // namespace

void pack_values_scalar(const PackValuesArgs& args) { pack_values<Lanes>(args); }

}  // namespace torquant
