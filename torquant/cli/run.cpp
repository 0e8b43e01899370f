#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "torquant/cli/commands.h"
#include "torquant/cli/executable.h"
#include "torquant/cli/inputs.h"
#include "torquant/cli/interrupt.h"
#include "torquant/core/atomic_file.h"
#include "torquant/core/error.h"
#include "torquant/io/safetensors.h"

namespace torquant::cli {
namespace {

// y0, y1, … in the order of the outputs; the tensors of a list one after the other.
std::vector<std::pair<std::string, at::Tensor>> named_outputs(const std::vector<c10::IValue>& outputs) {
  std::vector<std::pair<std::string, at::Tensor>> named;
  const auto add = [&](const at::Tensor& tensor) { named.emplace_back(fmt::format("y{}", named.size()), tensor); };
  for (const c10::IValue& output : outputs) {
    if (output.isTensor()) {
      add(output.toTensor());
    } else if (output.isTensorList()) {
      for (const at::Tensor& tensor : output.toTensorVector()) add(tensor);
    } else {
      throw Error({.where = fmt::format("output {}", named.size()),
                   .what = fmt::format("is {}, which a safetensors file cannot hold", output.tagKind()),
                   .allowed = "tensors"});
    }
  }
  return named;
}

}  // namespace

void add_run(CLI::App& app, ExitCode& exit_code) {
  struct Options {
    std::string program, input, output, lower;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "Run a program once");
  command->add_option("PROGRAM", options->program, "A .pt2 archive, or a .tqm model")->required();
  command->add_option("--input", options->input, "Safetensors with x0, x1, … or the names of the program's inputs")
      ->required();
  command->add_option("--output", options->output, "Where y0, y1, … are written (safetensors)")->required();
  add_lower_option(*command, options->lower);
  command->callback([options, &exit_code] {
    const at::NoGradGuard no_grad;
    check_output_path(options->output);
    const std::unique_ptr<Executable> program = load_executable(options->program, options->lower);
    const std::vector<c10::IValue> outputs = program->run(read_inputs(options->input, program->input_names()));
    const InterruptGuard whole_file;
    save_safetensors(options->output, named_outputs(outputs));
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
