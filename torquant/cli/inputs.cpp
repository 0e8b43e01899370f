#include "torquant/cli/inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "torquant/core/error.h"
#include "torquant/core/fingerprint.h"
#include "torquant/io/mapped_file.h"
#include "torquant/io/pt2.h"
#include "torquant/io/safetensors.h"
#include "torquant/lower/onednn.h"

namespace torquant::cli {

std::vector<c10::IValue> read_inputs(const std::string& path, const std::vector<std::string>& input_names) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  std::vector<c10::IValue> inputs;
  std::vector<std::string> names;
  for (size_t i = 0; i < input_names.size(); ++i) {
    const std::string numbered = fmt::format("x{}", i);
    names.push_back(file.contains(input_names[i]) ? input_names[i] : numbered);
    if (!file.contains(names[i])) {
      throw Error(
          {.where = path,
           .what = fmt::format("has no tensor for input {} of the program, but {}", i, fmt::join(file.names(), ", ")),
           .allowed = input_names[i] == numbered ? numbered : fmt::format("{} or {}", numbered, input_names[i])});
    }
    inputs.emplace_back(file.tensor(names[i]));
  }
  if (file.names().size() != names.size()) {
    throw Error({.where = path,
                 .what = fmt::format("holds {} tensors ({}), the program takes {}", file.names().size(),
                                     fmt::join(file.names(), ", "), names.size()),
                 .allowed = fmt::format("{}", fmt::join(names, ", "))});
  }
  return inputs;
}

std::string fingerprint_of_file(const std::string& path) { return Fingerprint().add(MappedFile(path).bytes()).text(); }

void add_lower_option(CLI::App& command, std::string& lower) {
  command
      .add_option(
          "--lower", lower,
          "onednn: compute what is quantized on integers, by LibTorch's oneDNN operators; else as PyTorch does, "
          "in float between quantize and dequantize")
      ->check(CLI::IsMember({"onednn"}));
}

Program load_lowered(const std::string& path, const std::string& lower) {
  Program program = load_pt2(path);
  if (lower.empty()) return program;
  LoweredProgram lowered = lower_to_onednn(std::move(program));
  for (const LoweredLayer& layer : lowered.report.layers) {
    if (layer.lowered) continue;
    fmt::print(stderr, "in float: {} ({:.1f} % of the multiply-accumulates): {}\n", layer.node,
               lowered.report.percent_of_macs(layer), layer.reason);
  }
  if (const std::vector<std::string>& others = lowered.report.float_operators; !others.empty()) {
    constexpr size_t kShown = 5;
    const size_t shown = std::min(others.size(), kShown);
    fmt::print(stderr, "in float, besides layers: {}{}\n", fmt::join(others.begin(), others.begin() + shown, ", "),
               others.size() > shown ? fmt::format(" and {} more", others.size() - shown) : "");
  }
  fmt::print(stderr, "{:.1f} % of the multiply-accumulates on integers\n", lowered.report.percent_of_macs());
  return std::move(lowered.program);
}

}  // namespace torquant::cli
