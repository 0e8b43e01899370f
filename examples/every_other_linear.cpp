// A quantizer of your own: int8 for every other linear layer, float for the rest.
//
//   every_other_linear MODEL.pt2 OUT.pt2
//
// A quantizer says, node by node, which inputs and outputs are quantized and how. prepare_pt2e puts an observer at each
// place, convert_pt2e turns what the observers saw into scales and the weights into integers.
#include <ATen/ops/randn.h>

#include <exception>
#include <iostream>

#include "torquant/graph/ops.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/convert.h"
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

// Random values in the shapes of the program's example inputs. Use real data: the scales follow from it.
std::vector<at::Tensor> random_batch(const tq::Program& program) {
  std::vector<at::Tensor> inputs;
  for (const tq::Value* input : program.user_inputs()) {
    std::vector<int64_t> sizes;
    for (const tq::Dim& size : input->tensor().sizes) sizes.push_back(tq::hint_of(size).value_or(1));
    inputs.push_back(at::randn(sizes).to(input->tensor().dtype));
  }
  return inputs;
}

void quantize(const std::string& in, const std::string& out) {
  EveryOtherLinear quantizer;
  tq::PreparedProgram prepared = tq::prepare_pt2e(tq::load_pt2(in), quantizer);
  for (int batch = 0; batch < 4; ++batch) prepared.forward(random_batch(prepared.program()));
  const tq::ConvertedProgram converted = tq::convert_pt2e(std::move(prepared));
  tq::save_pt2(converted.program, out);

  for (const tq::LayerReport& layer : converted.report.layers) {
    std::cout << layer.module_path << ": " << (layer.quantized ? layer.scheme : "float, " + layer.reason) << "\n";
  }
  std::cout << converted.report.quantized_layers() << " of " << converted.report.layers.size() << " layers quantized\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: every_other_linear MODEL.pt2 OUT.pt2\n";
    return 2;
  }
  try {
    quantize(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
