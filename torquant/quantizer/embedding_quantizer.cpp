#include "torquant/quantizer/embedding_quantizer.h"

#include "torquant/graph/ops.h"
#include "torquant/quantizer/match.h"

namespace torquant {

QuantizationConfig get_embedding_quantization_config() {
  return {.weight = QuantizationSpec{
              .options = {.dtype = DType::kUInt8, .qscheme = QScheme::kPerChannelAffineFloatQParams, .ch_axis = 0},
              .observer = {.type = PerChannelMinMaxSpec{}, .eps = 0x1p-12f}}};
}

void EmbeddingQuantizer::annotate(const Program& program, Annotations& annotations) {
  const QuantizationConfig config = get_embedding_quantization_config();
  for (const Node& node : program.graph()) {
    if (node.op() == ops::kEmbedding) set_input(annotations.annotate(&node), node.input("weight"), config.weight);
  }
}

std::vector<Capability> EmbeddingQuantizer::capabilities() const {
  return {{.quantizer = name(),
           .pattern = "embedding",
           .ops = {ops::kEmbedding},
           .weight = get_embedding_quantization_config().weight->options}};
}

}  // namespace torquant
