// The C++ half of exchange_with_pytorch.py:
//   exchange_with_pytorch FOLDER
// reads FOLDER/net.pt2 and FOLDER/data.safetensors (calibration.<i>.<input>, test.<input>) and writes
//   float.pt2       the program read and written again
//   quantized.pt2   the program quantized by XNNPACKQuantizer, per channel
//   dynamic.pt2     where it has linear layers: these by TorquantQuantizer, a scale for each token at run time
//   outputs.safetensors   float.<output>, quantized.<output> and dynamic.<output>, computed from the archives it wrote
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "torquant/core/error.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/ops.h"
#include "torquant/graph/verifier.h"
#include "torquant/io/pt2.h"
#include "torquant/io/safetensors.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/torquant_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

std::vector<at::Tensor> batch(const SafetensorsFile& data, const std::string& prefix) {
  std::vector<at::Tensor> tensors;
  while (data.contains(fmt::format("{}.{}", prefix, tensors.size()))) {
    tensors.push_back(data.tensor(fmt::format("{}.{}", prefix, tensors.size())));
  }
  return tensors;
}

void run(const std::string& archive, const std::string& name, const std::vector<at::Tensor>& inputs,
         NamedTensors& outputs) {
  const Program program = load_pt2(archive);
  verify(program);
  size_t index = 0;
  for (const at::Tensor& output : Interpreter(program).forward(inputs)) {
    outputs.emplace_back(fmt::format("{}.{}", name, index++), output.clone());
  }
}

void exchange(const std::string& folder) {
  const at::NoGradGuard no_grad;
  at::set_num_threads(1);
  const SafetensorsFile data = SafetensorsFile::open(folder + "/data.safetensors");
  save_pt2(load_pt2(folder + "/net.pt2"), folder + "/float.pt2");

  XNNPACKQuantizer quantizer;
  quantizer.set_global(get_symmetric_quantization_config({.is_per_channel = true}));
  PreparedProgram prepared = prepare_pt2e(load_pt2(folder + "/net.pt2"), quantizer);
  for (size_t i = 0; data.contains(fmt::format("calibration.{}.0", i)); ++i) {
    prepared.forward(batch(data, fmt::format("calibration.{}", i)));
  }
  save_pt2(convert_pt2e(std::move(prepared)).program, folder + "/quantized.pt2");

  const Program net = load_pt2(folder + "/net.pt2");
  const bool has_linear =
      std::any_of(net.graph().begin(), net.graph().end(), [](const Node& node) { return node.op() == ops::kLinear; });
  if (has_linear) {
    TorquantQuantizer dynamic;
    dynamic.set_global(get_default_torquant_quantization_config({.is_dynamic = true}));
    save_pt2(convert_pt2e(prepare_pt2e(net.clone(), dynamic)).program, folder + "/dynamic.pt2");
  }

  NamedTensors outputs;
  run(folder + "/float.pt2", "float", batch(data, "test"), outputs);
  run(folder + "/quantized.pt2", "quantized", batch(data, "test"), outputs);
  if (has_linear) run(folder + "/dynamic.pt2", "dynamic", batch(data, "test"), outputs);
  save_safetensors(folder + "/outputs.safetensors", outputs);
}

}  // namespace
}  // namespace torquant

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: exchange_with_pytorch FOLDER\n");
    return 2;
  }
  try {
    torquant::exchange(argv[1]);
    return 0;
  } catch (const torquant::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
