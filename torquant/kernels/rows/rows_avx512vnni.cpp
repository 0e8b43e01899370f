#include <immintrin.h>

#include "torquant/kernels/rows/map_rows.h"
#include "torquant/kernels/rows/normalize_rows.h"
#include "torquant/kernels/rows/quantize_rows.h"
#include "torquant/kernels/rows/rotate_rows.h"
#include "torquant/kernels/rows/rows_internal.h"
#include "torquant/kernels/rows/softmax_rows.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 says so of its own intrinsics (gcc.gnu.org/PR105593)
#endif

namespace torquant {
namespace {

#include "torquant/kernels/lanes/avx512.inc"

}  // namespace

void quantize_rows_avx512vnni(const QuantizeRowsArgs& args) { quantize_rows<Lanes>(args); }
void normalize_rows_avx512vnni(const NormalizeRowsArgs& args) { normalize_rows<Lanes>(args); }
void softmax_rows_avx512vnni(const SoftmaxRowsArgs& args) { softmax_rows<Lanes>(args); }
void mean_rows_avx512vnni(const MeanRowsArgs& args) { mean_rows<Lanes>(args); }
void map_rows_avx512vnni(const MapRowsArgs& args) { map_rows<Lanes>(args); }
void binary_rows_avx512vnni(const BinaryRowsArgs& args) { binary_rows<Lanes>(args); }
void rotate_rows_avx512vnni(const RotateRowsArgs& args) { rotate_rows<Lanes>(args); }

}  // namespace torquant
