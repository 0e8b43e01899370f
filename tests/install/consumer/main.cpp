// A program outside this repository, which sees the installed headers and library alone: consumer MODEL.pt2 OUT.pt2
// quantizes a program of linear layers on [2, 6, 8] and reads the result back.
#include <ATen/ops/linspace.h>
#include <torquant/torquant.h>

#include <cstdio>

namespace tq = torquant;

int main(int, char** argv) {
  tq::XNNPACKQuantizer quantizer;
  quantizer.set_global(tq::get_symmetric_quantization_config({.is_per_channel = true}));
  tq::PreparedProgram prepared = tq::prepare_pt2e(tq::load_pt2(argv[1]), quantizer);
  const at::Tensor x = at::linspace(-1, 1, 2 * 6 * 8).reshape({2, 6, 8});
  prepared.forward({x});
  const tq::ConvertedProgram converted = tq::convert_pt2e(std::move(prepared));
  tq::save_pt2(converted.program, argv[2]);
  const at::Tensor y = tq::Interpreter(tq::load_pt2(argv[2])).forward({x})[0];
  std::printf("%zu of %zu layers, %lld outputs\n", converted.report.quantized_layers(), converted.report.layers.size(),
              static_cast<long long>(y.numel()));
  try {
    (void)tq::load_pt2("nowhere.pt2");
  } catch (const tq::Error& error) {  // thrown inside the library, caught outside it
    std::puts(error.what());
    return converted.report.quantized_layers() == converted.report.layers.size() ? 0 : 1;
  }
  return 1;
}
