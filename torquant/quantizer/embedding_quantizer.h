#pragma once

#include "torquant/quantizer/quantization_config.h"
#include "torquant/quantizer/quantizer.h"

namespace torquant {

// uint8 weights with a scale and a zero point, both floats, for each row of the table (torchao
// pt2e/quantizer/embedding_quantizer.py). Activations stay in float: indices have none.
QuantizationConfig get_embedding_quantization_config();

// Annotates the table of every embedding. Compose it with a quantizer for the rest.
class EmbeddingQuantizer : public Quantizer {
 public:
  void annotate(const Program& program, Annotations& annotations) override;
  std::vector<Capability> capabilities() const override;
  std::string name() const override { return "EmbeddingQuantizer"; }
};

}  // namespace torquant
