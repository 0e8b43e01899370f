#include <arm_neon.h>

#include "torquant/kernels/rows/map_rows.h"
#include "torquant/kernels/rows/normalize_rows.h"
#include "torquant/kernels/rows/quantize_rows.h"
#include "torquant/kernels/rows/rotate_rows.h"
#include "torquant/kernels/rows/rows_internal.h"
#include "torquant/kernels/rows/softmax_rows.h"

namespace torquant {
namespace {

#include "torquant/kernels/lanes/neon.inc"

}  // namespace

void quantize_rows_neondot(const QuantizeRowsArgs& args) { quantize_rows<Lanes>(args); }
void normalize_rows_neondot(const NormalizeRowsArgs& args) { normalize_rows<Lanes>(args); }
void softmax_rows_neondot(const SoftmaxRowsArgs& args) { softmax_rows<Lanes>(args); }
void mean_rows_neondot(const MeanRowsArgs& args) { mean_rows<Lanes>(args); }
void map_rows_neondot(const MapRowsArgs& args) { map_rows<Lanes>(args); }
void binary_rows_neondot(const BinaryRowsArgs& args) { binary_rows<Lanes>(args); }
void rotate_rows_neondot(const RotateRowsArgs& args) { rotate_rows<Lanes>(args); }

}  // namespace torquant
