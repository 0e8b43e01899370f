#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "torquant/graph/program.h"

namespace torquant {

// What lowering did with one layer: a convolution, linear layer or product of two activations.
struct LoweredLayer {
  std::string node;  // "layer1.0.conv1 (%conv2d_1, aten.conv2d.default)"
  bool lowered = false;
  std::string becomes = {};  // "uint8 → uint8, sum, relu"
  std::string reason = {};   // why it computes in float
  int64_t macs = 0;          // multiply-accumulates at the example sizes
};

struct LoweringReport {
  std::vector<LoweredLayer> layers;
  // Operators that compute floats and are no layer; quantize and dequantize nodes do not count.
  std::vector<std::string> float_operators = {};

  // Of all multiply-accumulates, the share that runs on integers, and that of one layer: 0 to 100.
  double percent_of_macs() const;
  double percent_of_macs(const LoweredLayer& layer) const;
};

struct LoweredProgram {
  Program program;
  LoweringReport report;
};

// Real integer arithmetic from LibTorch's own kernels, for x86-64: convolutions (of one to three dimensions) and linear
// layers between dequantize and quantize nodes become onednn::qconv_pointwise and onednn::qlinear_pointwise with
// prepacked weights, with bias, activation, residual sum and requantization fused; products of two activations become
// aten::_int_mm; sums, products, averages, operators on single numbers and those that only move values work on the
// codes.
//
// Results are within one step of the converted program's: oneDNN multiplies scales in another order, and a fused layer
// skips float roundings. The program runs on this machine in this process: packed weights are opaque, and save_pt2
// refuses them. Throws Error where this LibTorch has no oneDNN operators.
LoweredProgram lower_to_onednn(Program converted);

}  // namespace torquant
