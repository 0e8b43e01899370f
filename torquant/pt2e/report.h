#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "torquant/pass/pass_result.h"
#include "torquant/quantizer/annotation.h"

namespace torquant {

// What quantization did with one layer: a node with a weight, or a product of two activations.
struct LayerReport {
  std::string node;         // "conv2d_1"
  std::string module_path;  // "layer1.0.conv1"
  std::string op;           // "aten.conv2d.default"
  bool quantized = false;
  std::string scheme = {};   // "int8 weight per channel, int8 static input"
  std::string reason = {};   // why it stays in float
  int64_t weight_bytes = 0;  // in float
  int64_t macs = 0;          // multiply-accumulates at the example sizes; 0 where these are unknown
};

struct QuantizationReport {
  std::vector<LayerReport> layers;
  std::vector<Refusal> refusals;  // of passes: what could not be folded or rewritten
  size_t annotated_nodes = 0;     // with everything between the layers

  size_t quantized_layers() const;
  double percent_of_weight_bytes() const;  // 0 to 100
  double percent_of_macs() const;
};

// Describes every layer of the program after annotation.
QuantizationReport make_report(const Program& program, const Annotations& annotations, const std::string& quantizer);

}  // namespace torquant
