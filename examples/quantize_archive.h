#pragma once

#include <ATen/ops/randn.h>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "torquant/io/pt2.h"
#include "torquant/pt2e/convert.h"

// The part that the examples share: an archive quantized by a quantizer, from the command line `PROGRAM MODEL.pt2
// OUT.pt2`.
//
// A quantizer says, node by node, which inputs and outputs are quantized and how. prepare_pt2e puts an observer at each
// place, convert_pt2e turns what the observers saw into scales and the weights into integers.
namespace example {

namespace tq = torquant;

// Random values in the shapes of the program's example inputs. Use real data: the scales follow from it.
inline std::vector<at::Tensor> random_batch(const tq::Program& program) {
  std::vector<at::Tensor> inputs;
  for (const tq::Value* input : program.user_inputs()) {
    std::vector<int64_t> sizes;
    for (const tq::Dim& size : input->tensor().sizes) sizes.push_back(tq::hint_of(size).value_or(1));
    inputs.push_back(at::randn(sizes).to(input->tensor().dtype));
  }
  return inputs;
}

inline void quantize(const std::string& in, const std::string& out, tq::Quantizer& quantizer) {
  tq::PreparedProgram prepared = tq::prepare_pt2e(tq::load_pt2(in), quantizer);
  for (int batch = 0; batch < 4; ++batch) prepared.forward(random_batch(prepared.program()));
  const tq::ConvertedProgram converted = tq::convert_pt2e(std::move(prepared));
  tq::save_pt2(converted.program, out);

  for (const tq::LayerReport& layer : converted.report.layers) {
    std::cout << layer.module_path << ": " << (layer.quantized ? layer.scheme : "float, " + layer.reason) << "\n";
  }
  std::cout << converted.report.quantized_layers() << " of " << converted.report.layers.size() << " layers quantized\n";
}

// What main returns.
inline int quantize_archive(int argc, char** argv, tq::Quantizer& quantizer) {
  if (argc != 3) {
    std::cerr << "usage: " << argv[0] << " MODEL.pt2 OUT.pt2\n";
    return 2;
  }
  try {
    quantize(argv[1], argv[2], quantizer);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}

}  // namespace example
