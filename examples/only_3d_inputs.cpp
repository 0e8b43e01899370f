// A quantizer on top of another: XNNPACKQuantizer, but only for linear layers whose input has three dimensions (the
// projections of a transformer, say, and not its classifier).
//
//   only_3d_inputs MODEL.pt2 OUT.pt2
//
// XNNPACKQuantizer knows the patterns (a linear layer with the ReLU behind it is one); a filter function chooses among
// them. Shapes are known for every value without running the program.
#include <ATen/ops/randn.h>

#include <exception>
#include <iostream>

#include "torquant/graph/ops.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace tq = torquant;

namespace {

// ReLU belongs to the layer in front of it.
bool has_3d_input(const tq::Node& node) {
  const tq::Value* input = node.op() == tq::ops::kLinear ? node.input("input") : node.input("self");
  return input != nullptr && input->is_tensor() && input->tensor().rank() == 3;
}

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
  tq::XNNPACKQuantizer quantizer;
  quantizer.set_operator_type("aten.linear.default", tq::get_symmetric_quantization_config({.is_per_channel = true}))
      .set_filter_function(has_3d_input);
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
    std::cerr << "usage: only_3d_inputs MODEL.pt2 OUT.pt2\n";
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
