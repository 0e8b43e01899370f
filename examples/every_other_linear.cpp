// A quantizer of your own: int8 for every other linear layer, float for the rest.
//
//   every_other_linear MODEL.pt2 OUT.pt2
#include "quantize_archive.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/quantization_config.h"

namespace tq = torquant;

namespace {

class EveryOtherLinear : public tq::Quantizer {
 public:
  void annotate(const tq::Program& program, tq::Annotations& annotations) override {
    // int8 activations under a histogram observer, int8 weights with a scale for each output channel.
    const tq::QuantizationConfig int8 = tq::get_symmetric_quantization_config({.is_per_channel = true});
    bool take = false;
    for (const tq::Node& node : program.graph()) {
      if (node.op() != tq::ops::kLinear) continue;
      take = !take;
      if (!take) {
        annotations.refuse(&node, "every other linear layer stays in float");
        continue;
      }
      tq::QuantizationAnnotation& annotation = annotations.annotate(&node);
      annotation.set_input(node.input("input"), *int8.input_activation);
      annotation.set_input(node.input("weight"), *int8.weight);
      annotation.output_qspec = *int8.output_activation;
    }
  }

  std::string name() const override { return "EveryOtherLinear"; }
};

}  // namespace

int main(int argc, char** argv) {
  EveryOtherLinear quantizer;
  return example::quantize_archive(argc, argv, quantizer);
}
