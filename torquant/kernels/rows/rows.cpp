#include "torquant/kernels/rows/rows.h"

#include "torquant/kernels/rows/rows_internal.h"

namespace torquant {
namespace {

constexpr RowsKernels kKernels[] = {
#define TORQUANT_ROWS_KERNELS(suffix, isa) \
  {#suffix,                                \
   CpuIsa::isa,                            \
   quantize_rows_##suffix,                 \
   normalize_rows_##suffix,                \
   softmax_rows_##suffix,                  \
   mean_rows_##suffix,                     \
   map_rows_##suffix,                      \
   binary_rows_##suffix,                   \
   rotate_rows_##suffix},
#include "torquant/kernels/rows/kernels.inc"
#undef TORQUANT_ROWS_KERNELS
};

}  // namespace

const RowsKernels& select_rows_kernels(CpuIsa isa) { return select_kernel(kKernels, isa); }

}  // namespace torquant
