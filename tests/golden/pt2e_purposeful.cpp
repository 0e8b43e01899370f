#include "pt2e_purposeful.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "golden_quantizers.h"
#include "torquant/core/error.h"
#include "torquant/graph/ops.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/match.h"

namespace torquant::golden {
namespace {

using Json = nlohmann::json;

// Every set_… call of the case's quantizer, and of those that it is composed of.
std::vector<Json> calls_of(const Json& quantizer) {
  std::vector<Json> calls = quantizer.value("calls", Json::array());
  for (const Json& part : quantizer.value("quantizers", Json::array())) {
    for (Json& call : calls_of(part)) calls.push_back(std::move(call));
  }
  return calls;
}

bool has_module_rule(const GraphCase& golden) {
  return std::ranges::any_of(calls_of(golden.json()["quantizer"]), [](const Json& call) {
    return call[0] == "set_module_name" || call[0] == "set_module_type";
  });
}

bool is_inductor(const GraphCase& golden) {
  const std::string name = golden.json()["quantizer"]["class"];
  return name == "X86InductorQuantizer" || name == "ArmInductorQuantizer";
}

bool mixes_modes_in_inductor(const GraphCase& golden) {
  if (!is_inductor(golden)) return false;
  std::set<bool> modes;
  for (const Json& call : calls_of(golden.json()["quantizer"])) {
    if (call.back().is_object()) modes.insert(call.back().value("is_dynamic", false));
  }
  return modes.size() > 1;
}

// A layer that another module of PyTorch calls: the projections of nn.MultiheadAttention.
bool has_layer_inside_module_of_pytorch(const GraphCase& golden) {
  if (!is_inductor(golden)) return false;
  const Program program = load_pt2(golden.file("float.pt2"));
  return std::any_of(program.graph().begin(), program.graph().end(), [](const Node& node) {
    const std::string module = written_as(node).module;
    return node.op() == ops::kLinear && !module.empty() && module != "torch.nn.modules.linear.Linear";
  });
}

bool needs_reference(const GraphCase& golden) {
  return golden.json()["convert_options"].value("use_reference_representation", false) && golden.error();
}

std::unique_ptr<Quantizer> quantizer_of(const GraphCase& golden) {
  return make_quantizer(golden.json()["quantizer"], load_pt2(golden.file("float.pt2")));
}

PreparedProgram calibrated(const GraphCase& golden, Quantizer& quantizer) {
  PreparedProgram prepared = prepare_pt2e(load_pt2(golden.file("float.pt2")), quantizer);
  for (int i = 0; i < 3; ++i) prepared.forward(golden.tensors(fmt::format("calibration.{}", i)));
  return prepared;
}

std::string check_prepared(const GraphCase& golden) {
  prepare_pt2e(load_pt2(golden.file("float.pt2")), *quantizer_of(golden));  // throws where it cannot
  return "";
}

std::string check_refused(const GraphCase& golden) {
  try {
    quantizer_of(golden);
  } catch (const Error& error) {
    const bool known = std::string(error.what()).find("configuration beside a") != std::string::npos;
    return known ? "" : error.what();
  }
  return "no error";
}

// A reference program that torchao cannot run: our integers must be what the quantize / dequantize program computes,
// but for truncation: a code is up to one below the rounded one, and each layer adds its own. The output is judged by
// its energy, as whole programs are: 20 dB is a tenth of the signal, where wrong arithmetic gives 0 or less.
std::string check_reference(const GraphCase& golden) {
  const std::unique_ptr<Quantizer> quantizer = quantizer_of(golden);
  const at::NoGradGuard no_grad;
  const auto convert = [&](bool reference) {
    return convert_pt2e(calibrated(golden, *quantizer), {.use_reference_representation = reference});
  };
  const ConvertedProgram reference = convert(true);
  const ConvertedProgram simulated = convert(false);
  const auto ours = Interpreter(reference.program).forward(golden.tensors("test"));
  const auto theirs = Interpreter(simulated.program).forward(golden.tensors("test"));
  for (size_t i = 0; i < theirs.size(); ++i) {
    if (ours[i].scalar_type() != theirs[i].scalar_type()) return "another dtype";
    const double noise = (ours[i] - theirs[i]).norm().item<double>();
    const double decibels = 20 * std::log10(theirs[i].norm().item<double>() / noise);
    if (!(decibels > 20))
      return fmt::format("output {} is {:.1f} dB from the quantize / dequantize program", i, decibels);
  }
  for (const Node& node : reference.program.graph()) {
    if (ops::is_quantize(node.op()) || ops::is_dequantize(node.op())) return node.describe() + " is left";
  }
  return "";
}

// A program that torchao's quantizer stumbles over is quantized: its layers, and close to float. 15 dB: 8 bits give 30
// and more in these nets, wrong scales 0 or less.
std::string check_quantized(const GraphCase& golden) {
  const ConvertedProgram converted = convert_pt2e(calibrated(golden, *quantizer_of(golden)));
  for (const LayerReport& layer : converted.report.layers) {
    if (layer.weight_bytes > 0 && !layer.quantized) return layer.node + " is left in float";
  }
  const at::NoGradGuard no_grad;
  const at::Tensor ours = Interpreter(converted.program).forward(golden.tensors("test"))[0];
  const at::Tensor exact = golden.tensors("float_output")[0];
  const double decibels = 20 * std::log10(exact.norm().item<double>() / (ours - exact).norm().item<double>());
  return decibels > 15 ? "" : fmt::format("{:.1f} dB from the float program", decibels);
}

constexpr PurposefulDifference kPurposeful[] = {
    {"a module rule selects convolutions too: torchao also asks the weight, which has no module, and takes none",
     [](const GraphCase& golden) {
       return has_module_rule(golden) && golden.json()["net"] != "mlp" && golden.json()["net"] != "attention";
     },
     check_prepared},
    {"a weight that feeds two batch norms is folded for each: torchao drops the second",
     [](const GraphCase& golden) { return golden.json()["net"] == "shared_weight"; }, check_prepared},
    {"the reference representation runs: torchao's fails on layers without bias and on dynamic linear layers",
     needs_reference, check_reference},
    {"static and dynamic rules in one Inductor quantizer are an error: torchao warns, and leaves the later rule out",
     mixes_modes_in_inductor, check_refused},
    {"layers inside other modules of PyTorch (nn.MultiheadAttention) are quantized too: torchao sees only the outer "
     "one",
     has_layer_inside_module_of_pytorch, check_quantized},
    {"convolutions with padding by name or mode, and a number added to a layer: torchao raises an error, we quantize",
     [](const GraphCase& golden) { return is_inductor(golden) && golden.error(); }, check_quantized},
};

}  // namespace

const PurposefulDifference* find_purposeful(const GraphCase& golden) {
  const auto* found = std::ranges::find_if(kPurposeful, [&](const auto& known) { return known.applies(golden); });
  return found == std::end(kPurposeful) ? nullptr : found;
}

}  // namespace torquant::golden
