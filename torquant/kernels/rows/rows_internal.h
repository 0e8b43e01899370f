#pragma once

#include "torquant/kernels/rows/rows.h"

namespace torquant {

#define TORQUANT_ROWS_KERNELS(suffix, isa)                     \
  void quantize_rows_##suffix(const QuantizeRowsArgs& args);   \
  void normalize_rows_##suffix(const NormalizeRowsArgs& args); \
  void softmax_rows_##suffix(const SoftmaxRowsArgs& args);     \
  void mean_rows_##suffix(const MeanRowsArgs& args);           \
  void map_rows_##suffix(const MapRowsArgs& args);             \
  void binary_rows_##suffix(const BinaryRowsArgs& args);       \
  void rotate_rows_##suffix(const RotateRowsArgs& args);
#include "torquant/kernels/rows/kernels.inc"
#undef TORQUANT_ROWS_KERNELS

}  // namespace torquant
