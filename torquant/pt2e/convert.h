#pragma once

#include "torquant/pt2e/prepare.h"

namespace torquant {

struct ConvertOptions {
  // Quantize weights now and keep the integers alone; else the float weight stays, with a quantize node behind it.
  bool fold_quantize = true;
  // Keep the example inputs that the archive carried: float data, often as large as the integers.
  bool keep_example_inputs = false;
  // Write integer arithmetic in place of quantize / dequantize pairs (pass/reference_representation.h).
  bool use_reference_representation = false;
};

// What a converted program is: the program and what was done to it.
struct ConvertedProgram {
  Program program;
  QuantizationReport report;
};

// Replaces observers by quantize / dequantize pairs of the scales they found, and weights by integers (torchao
// convert_pt2e). Throws Error, naming node and module, for an observer that saw nothing.
ConvertedProgram convert_pt2e(PreparedProgram prepared, const ConvertOptions& options = {});

}  // namespace torquant
