#include <ATen/Parallel.h>
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
#include "torquant/cli/checkpoint.h"
#include "torquant/cli/commands.h"
#include "torquant/cli/interrupt.h"
#include "torquant/cli/layers.h"
#include "torquant/cli/output.h"
#include "torquant/cli/progress.h"
#include "torquant/core/error.h"
#include "torquant/data/open_dataset.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/calibrate.h"
#include "torquant/pt2e/convert.h"
#include "torquant/pt2e/observer_statistics.h"
#include "torquant/pt2e/prepare.h"
#include "torquant/recipe/recipe.h"

namespace torquant::cli {
namespace {

// Ranges settle long before this; more samples cost time and gain little.
constexpr int64_t kDefaultSamples = 512;

struct Options {
  std::string program, recipe, data, output;
  std::string save_observers, observers, resume;
  std::optional<int64_t> samples, batch_size;
  bool allow_partial = false;
  bool json = false;
};

// Before the work, not after it.
void check_output(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  if (access(folder.c_str(), W_OK) == 0) return;
  throw Error({.where = path, .what = fmt::format("cannot be written: {}: {}", folder.string(), strerror(errno))});
}

// Gives the number of samples that were seen.
int64_t calibrate(PreparedProgram& prepared, const Options& options, const InterruptGuard& interrupt) {
  const std::unique_ptr<Dataset> data = open_dataset(options.data, Split::kTrain);
  const BatchPlan plan = plan_batches(prepared.program(), *data, options.batch_size, /*preferred=*/1);
  const int64_t wanted = std::min(options.samples.value_or(kDefaultSamples), data->size());
  // A program of a fixed batch takes whole batches only; padding would count some samples twice.
  const int64_t total = plan.fixed_rows > 1 ? wanted / plan.samples_per_call * plan.samples_per_call : wanted;
  if (total == 0) {
    throw Error({.where = data->name(),
                 .what = fmt::format("holds {} samples, the program was exported for batches of {}", data->size(),
                                     plan.fixed_rows)});
  }
  if (total < data->size()) {
    fmt::print(stderr, "calibrating with {} of the {} samples of {} (--samples)\n", with_commas(total),
               with_commas(data->size()), data->name());
  }
  const auto count_of = [&](int64_t batch) {
    return std::min(plan.samples_per_call, total - batch * plan.samples_per_call);
  };
  UnfinishedCalibration place = {.position = {},
                                 .samples = total,
                                 .samples_per_batch = plan.samples_per_call,
                                 .data = fingerprint(data->sample(0).inputs)};
  int64_t done = options.resume.empty() ? 0 : resume_calibration(prepared, options.recipe, options.resume, place);
  Progress progress("calibrate", total, progress_style(options.json));
  const CalibrateOptions how = {.threads = at::get_num_threads(),
                                .after_batch =
                                    [&](int64_t batches) {
                                      done = std::min(batches * plan.samples_per_call, total);
                                      progress.update(done);
                                    },
                                .stop = [&] { return interrupt.received(); },
                                .name_of =
                                    [&](int64_t batch) {
                                      const int64_t first = batch * plan.samples_per_call;
                                      return fmt::format("{} on samples {} to {} of {}", options.program, first,
                                                         first + count_of(batch) - 1, data->name());
                                    }};
  const auto load = [&](int64_t batch) {
    return load_batch(*data, batch * plan.samples_per_call, count_of(batch)).inputs;
  };
  const int64_t batches = (total + plan.samples_per_call - 1) / plan.samples_per_call;
  if (!calibrate(prepared, batches, load, place.position, how)) {
    const std::string path = (options.output.empty() ? options.save_observers : options.output) + ".calibration";
    interrupt.end(fmt::format("{} of {} calibration samples", with_commas(done), with_commas(total)),
                  keep_calibration(prepared, options.recipe, done, place, path));
  }
  return total;
}

void print_saved(const Options& options, int64_t samples) {
  if (options.json) {
    const nlohmann::ordered_json result = {{"observers", options.save_observers}, {"samples", samples}};
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("{}: what the observers saw of {} samples; `torquant quantize … --observers {}` goes on from there\n",
               options.save_observers, with_commas(samples), options.save_observers);
  }
}

void print_quantized(const Options& options, const QuantizationReport& report, const RecipeQuantizer& quantizer,
                     int64_t samples, size_t missing, double seconds) {
  const auto before = static_cast<int64_t>(std::filesystem::file_size(options.program));
  const auto after = static_cast<int64_t>(std::filesystem::file_size(options.output));
  if (options.json) {
    nlohmann::ordered_json result = {{"output", options.output},
                                     {"bytes_before", before},
                                     {"bytes_after", after},
                                     {"samples", samples},
                                     {"left_in_float_though_asked", missing},
                                     {"seconds", seconds}};
    result.update(to_json(report, quantizer));
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("{}: {} → {} ({:.2f} of it), {} calibration samples, {:.1f} s\n", options.output, bytes_text(before),
               bytes_text(after), static_cast<double>(after) / static_cast<double>(before), with_commas(samples),
               seconds);
    fmt::print("quantized: {}\n", summary(report));
    for (const LayerReport& layer : report.layers) {
      if (!layer.quantized)
        fmt::print("in float: {} (%{}, {}): {}\n", layer.module_path, layer.node, layer.op, layer.reason);
    }
    for (const Refusal& refusal : report.refusals) fmt::print("note: {}: {}\n", refusal.node, refusal.reason);
  }
}

ExitCode quantize(const Options& options) {
  const at::NoGradGuard no_grad;
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& path : {options.output, options.save_observers}) {
    if (!path.empty()) check_output(path);
  }
  RecipeQuantizer quantizer(load_recipe(options.recipe));
  PreparedProgram prepared = prepare_pt2e(load_pt2(options.program), quantizer);
  const size_t missing = shortfall(prepared.report(), quantizer).size();
  if (!options.allow_partial) refuse_shortfall(options.program, shortfall(prepared.report(), quantizer));
  const InterruptGuard interrupt;
  const int64_t samples = options.observers.empty() ? calibrate(prepared, options, interrupt)
                                                    : read_observers(prepared, options.recipe, options.observers);
  if (!options.save_observers.empty()) {
    save_statistics(collect_statistics(prepared, options.recipe, samples), options.save_observers);
  }
  if (options.output.empty()) {
    print_saved(options, samples);
  } else {
    const ConvertedProgram converted = convert_pt2e(std::move(prepared));
    save_pt2(converted.program, options.output);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    print_quantized(options, converted.report, quantizer, samples, missing, seconds);
  }
  if (!options.resume.empty()) std::filesystem::remove(options.resume);  // its work is in the output
  return missing > 0 ? kPartial : kDone;
}

}  // namespace

void add_quantize(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("quantize", "Quantize a program with calibration data, and save it");
  command->add_option("PROGRAM", options->program, "A float .pt2 archive")->required();
  command->add_option("--recipe", options->recipe, "A name that `torquant recipes` lists, or a JSON file")->required();
  CLI::Option* data = command->add_option(
      "--data", options->data,
      "Calibration data, like those the program will meet: a file or folder (safetensors, npz, npy, IDX images)");
  command->add_option("-o,--output", options->output, "The .pt2 to write");
  command->add_option("--save-observers", options->save_observers,
                      "Write what the observers saw, to be merged with that of other data; without -o nothing else");
  CLI::Option* observers = command->add_option("--observers", options->observers,
                                               "Take what the observers saw from this file, not from data");
  CLI::Option* resume = command->add_option(
      "--resume", options->resume, "Go on with an interrupted calibration; the file is removed when the work is done");
  CLI::Option* samples =
      command->add_option("--samples", options->samples, "How many to calibrate with, from the first; 512 if absent")
          ->check(CLI::PositiveNumber);
  CLI::Option* batch_size =
      command->add_option("--batch-size", options->batch_size, "Samples a call; one, or what export fixed, if absent")
          ->check(CLI::PositiveNumber);
  for (CLI::Option* of_data : {data, resume, samples, batch_size}) observers->excludes(of_data);
  command->add_flag("--allow-partial", options->allow_partial,
                    "Go on where layers asked for must stay in float; ends with code 3");
  command->add_flag("--json", options->json, "Print the result as one JSON object, progress as JSON lines on stderr");
  command->callback([options, &exit_code] {
    if (options->data.empty() && options->observers.empty())
      throw CLI::ValidationError("--data or --observers is required");
    if (options->output.empty() && options->save_observers.empty()) {
      throw CLI::ValidationError("--output or --save-observers is required");
    }
    exit_code = quantize(*options);
  });
}

}  // namespace torquant::cli
