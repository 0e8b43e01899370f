#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "torquant/cli/batches.h"
#include "torquant/cli/commands.h"
#include "torquant/cli/data_flags.h"
#include "torquant/cli/interrupt.h"
#include "torquant/cli/layers.h"
#include "torquant/cli/output.h"
#include "torquant/cli/progress.h"
#include "torquant/core/error.h"
#include "torquant/io/pt2.h"
#include "torquant/observer/passive_observer.h"
#include "torquant/pt2e/convert.h"
#include "torquant/pt2e/prepare.h"
#include "torquant/recipe/recipe.h"

namespace torquant::cli {
namespace {

// Ranges settle long before this; more samples cost time and gain little.
constexpr int64_t kDefaultSamples = 512;

struct Options {
  std::string program, recipe, output;
  DataFlags data;
  std::optional<int64_t> batch_size;
  bool allow_partial = false;
  bool allow_synthetic = false;
  bool json = false;
};

// Before the work, not after it.
void check_output(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  if (access(folder.c_str(), W_OK) == 0) return;
  throw Error({.where = path, .what = fmt::format("cannot be written: {}: {}", folder.string(), strerror(errno))});
}

// Noise may try a flow, but gives no ranges.
void refuse_synthetic(const Options& options, const PreparedProgram& prepared) {
  const auto waiting = std::ranges::count_if(prepared.observers(), [](const PlacedObserver& placed) {
    const bool is_passive = std::dynamic_pointer_cast<PassiveObserver>(placed.observer) != nullptr;
    return placed.observer != nullptr && !is_passive && !placed.observer->observed();
  });
  if (!options.data.is_synthetic() || options.allow_synthetic || waiting == 0) return;
  throw Error({.where = "--data synthetic",
               .what = fmt::format("{} takes {} ranges of activations from the data, and those of made-up inputs are "
                                   "wrong for real ones",
                                   options.recipe, waiting),
               .hint = "give data like those the program will meet, or --allow-synthetic where only the flow, the size "
                       "or the speed is to be tried"});
}

// Gives the number of samples that were seen.
int64_t calibrate(PreparedProgram& prepared, const Dataset& data, const Options& options,
                  const InterruptGuard& interrupt) {
  const BatchPlan plan = plan_batches(prepared.program(), data, options.batch_size, /*preferred=*/1);
  const int64_t wanted = std::min(options.data.samples.value_or(kDefaultSamples), data.size());
  // A program of a fixed batch takes whole batches only; padding would count some samples twice.
  const int64_t total = plan.fixed_rows > 1 ? wanted / plan.samples_per_call * plan.samples_per_call : wanted;
  if (total == 0) {
    throw Error({.where = data.name(),
                 .what = fmt::format("holds {} samples, the program was exported for batches of {}", data.size(),
                                     plan.fixed_rows)});
  }
  note_subset("calibrating with", total, data, options.json);
  Progress progress("calibrate", total, progress_style(options.json));
  for (int64_t first = 0; first < total; first += plan.samples_per_call) {
    const int64_t count = std::min(plan.samples_per_call, total - first);
    try {
      prepared.forward(load_batch(data, first, count).inputs);
    } catch (const Error& error) {
      throw error.within(
          fmt::format("{} on samples {} to {} of {}", options.program, first, first + count - 1, data.name()));
    }
    progress.update(first + count);
    interrupt.check(fmt::format("{} of {} calibration samples", with_commas(first + count), with_commas(total)));
  }
  return total;
}

ExitCode quantize(const Options& options) {
  const at::NoGradGuard no_grad;
  const auto start = std::chrono::steady_clock::now();
  check_output(options.output);
  RecipeQuantizer quantizer(load_recipe(options.recipe));
  PreparedProgram prepared = prepare_pt2e(load_pt2(options.program), quantizer);
  const size_t missing = shortfall(prepared.report(), quantizer).size();
  if (!options.allow_partial) refuse_shortfall(options.program, shortfall(prepared.report(), quantizer));
  refuse_synthetic(options, prepared);
  const InterruptGuard interrupt;
  const std::unique_ptr<Dataset> data = open_data(options.data, prepared.program(), Split::kTrain);
  const int64_t samples = calibrate(prepared, *data, options, interrupt);
  const ConvertedProgram converted = convert_pt2e(std::move(prepared));
  save_pt2(converted.program, options.output);

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto before = static_cast<int64_t>(std::filesystem::file_size(options.program));
  const auto after = static_cast<int64_t>(std::filesystem::file_size(options.output));
  if (options.json) {
    nlohmann::ordered_json result = {{"output", options.output},
                                     {"bytes_before", before},
                                     {"bytes_after", after},
                                     {"data", data->name()},
                                     {"synthetic_data", options.data.is_synthetic()},
                                     {"samples", samples},
                                     {"left_in_float_though_asked", missing},
                                     {"seconds", seconds}};
    result.update(to_json(converted.report, quantizer));
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("{}: {} → {} ({:.2f} of it), {} calibration samples, {:.1f} s\n", options.output, bytes_text(before),
               bytes_text(after), static_cast<double>(after) / static_cast<double>(before), with_commas(samples),
               seconds);
    fmt::print("quantized: {}\n", summary(converted.report));
    if (options.data.is_synthetic()) {
      fmt::print("calibrated with made-up data: its outputs mean nothing, its size and speed do\n");
    }
    for (const LayerReport& layer : converted.report.layers) {
      if (!layer.quantized)
        fmt::print("in float: {} (%{}, {}): {}\n", layer.module_path, layer.node, layer.op, layer.reason);
    }
    for (const Refusal& refusal : converted.report.refusals) fmt::print("note: {}: {}\n", refusal.node, refusal.reason);
  }
  return missing > 0 ? kPartial : kDone;
}

}  // namespace

void add_quantize(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("quantize", "Quantize a program with calibration data, and save it");
  command->add_option("PROGRAM", options->program, "A float .pt2 archive")->required();
  command->add_option("--recipe", options->recipe, "xnnpack-static, x86-static, arm-static, …, or a JSON file")
      ->required();
  add_data_flags(*command, options->data,
                 "Calibration data, like those the program will meet: a file (safetensors, npz, npy, IDX images), a "
                 "folder with one, or a folder of JPEG and PNG images; `synthetic` makes inputs up",
                 "How many to calibrate with, from the first; 512 if absent")
      .front()
      ->required();
  command->add_option("-o,--output", options->output, "The .pt2 to write")->required();
  command->add_option("--batch-size", options->batch_size, "Samples a call; one, or what export fixed, if absent")
      ->check(CLI::PositiveNumber);
  command->add_flag("--allow-partial", options->allow_partial,
                    "Go on where layers asked for must stay in float; ends with code 3");
  command->add_flag("--allow-synthetic", options->allow_synthetic,
                    "Let `--data synthetic` set ranges: for trying the flow, not for use");
  command->add_flag("--json", options->json, "Print the result as one JSON object, progress as JSON lines on stderr");
  command->callback([options, &exit_code] { exit_code = quantize(*options); });
}

}  // namespace torquant::cli
