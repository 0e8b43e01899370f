#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "torquant/algorithm/round_to_data.h"
#include "torquant/cli/calibration.h"
#include "torquant/cli/checkpoint.h"
#include "torquant/cli/commands.h"
#include "torquant/cli/interrupt.h"
#include "torquant/cli/layers.h"
#include "torquant/cli/output.h"
#include "torquant/cli/progress.h"
#include "torquant/cli/usage.h"
#include "torquant/core/atomic_file.h"
#include "torquant/core/error.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/convert.h"
#include "torquant/pt2e/observer_statistics.h"
#include "torquant/pt2e/prepare.h"
#include "torquant/recipe/recipe.h"

namespace torquant::cli {
namespace {

// Samples that weights are rounded to: all of them are computed side by side, so memory grows with their number.
constexpr int64_t kRoundingSamples = 32;

struct Options {
  CalibrationFlags calibration;
  std::string output, save_observers, observers;
  bool allow_partial = false;
};

// What one run did, for the last lines.
struct Done {
  int64_t samples = 0;
  std::string data = {};         // its name
  size_t rounded_layers = 0;     // to the data
  size_t left_though_asked = 0;  // in float
  double seconds = 0;
};

void print_saved(const Options& options, int64_t samples) {
  if (options.calibration.json) {
    const nlohmann::ordered_json result = {{"observers", options.save_observers}, {"samples", samples}};
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("{}: what the observers saw of {} samples; `torquant quantize … --observers {}` goes on from there\n",
               options.save_observers, with_commas(samples), options.save_observers);
  }
}

void print_quantized(const Options& options, const QuantizationReport& report, const RecipeQuantizer& quantizer,
                     const Done& done) {
  const bool synthetic = options.calibration.data.is_synthetic();
  const auto before = static_cast<int64_t>(std::filesystem::file_size(options.calibration.program));
  const auto after = static_cast<int64_t>(std::filesystem::file_size(options.output));
  if (options.calibration.json) {
    nlohmann::ordered_json result = {{"output", options.output},
                                     {"bytes_before", before},
                                     {"bytes_after", after},
                                     {"data", done.data},
                                     {"synthetic_data", synthetic},
                                     {"samples", done.samples},
                                     {"layers_rounded_to_data", done.rounded_layers},
                                     {"left_in_float_though_asked", done.left_though_asked},
                                     {"seconds", done.seconds}};
    result.update(to_json(report, quantizer));
    fmt::print("{}\n", result.dump());
    return;
  }
  const std::string data =
      done.samples > 0 ? fmt::format("{} calibration samples", with_commas(done.samples)) : "no data needed";
  fmt::print("{}: {} → {} ({:.2f} of it), {}, {:.1f} s\n", options.output, bytes_text(before), bytes_text(after),
             static_cast<double>(after) / static_cast<double>(before), data, done.seconds);
  fmt::print("quantized: {}\n", summary(report));
  if (done.rounded_layers > 0) fmt::print("weights of {} layers rounded to the data\n", done.rounded_layers);
  if (synthetic) fmt::print("calibrated with made-up data: its outputs mean nothing, its size and speed do\n");
  for (const LayerReport& layer : report.layers) {
    if (!layer.quantized)
      fmt::print("in float: {} (%{}, {}): {}\n", layer.module_path, layer.node, layer.op, layer.reason);
  }
  for (const Refusal& refusal : report.refusals) fmt::print("note: {}: {}\n", refusal.node, refusal.reason);
}

bool rounds_to_data(const RecipeQuantizer& quantizer, const Node& node) {
  const RecipeQuantizer::Decision* decision = quantizer.decision(node.name());
  const Scheme* scheme = decision == nullptr ? nullptr : find_scheme(decision->scheme);
  return scheme != nullptr && scheme->rounds_to_data;
}

// Rounds the weights of layers whose scheme asks for it; gives their number. `kept`: of the calibration, should the
// user interrupt.
size_t round_weights(ConvertedProgram& converted, const Program& reference, const RecipeQuantizer& quantizer,
                     const Dataset& data, const CalibrationFlags& flags, const InterruptGuard& interrupt,
                     const std::string& kept) {
  std::optional<Progress> progress;
  size_t rounded = 0;
  RoundToDataOptions how;
  how.selects = [&](const Node& node) { return rounds_to_data(quantizer, node); };
  how.after_layer = [&](size_t done, size_t total) {
    if (!progress) progress.emplace("round weights", static_cast<int64_t>(total), progress_style(flags.json));
    progress->update(static_cast<int64_t>(done));
    rounded = done;
  };
  how.poll = [&] {
    if (interrupt.received()) interrupt.end(fmt::format("{} layers rounded", rounded), kept);
  };
  RoundToDataResult result =
      round_to_data(converted.program, reference, first_samples(data, reference, flags, kRoundingSamples), how);
  for (Refusal& refusal : result.refusals) converted.report.refusals.push_back(std::move(refusal));
  return result.layers;
}

// Ranges come from data exactly where some are wanted. Throws Error else, before the work.
void check_data(const Options& options, const PreparedProgram& prepared) {
  const CalibrationFlags& flags = options.calibration;
  const size_t wanted = observers_without_range(prepared);
  if (wanted > 0) {
    if (!flags.data.path.empty() || !options.observers.empty()) return;
    throw Error({.where = flags.recipe,
                 .what = fmt::format("takes {} ranges of activations from data, and none are given", wanted),
                 .hint = "--data with inputs like those the program will meet, or --observers with what was seen of "
                         "them; recipes that `torquant recipes` lists without data choose scales at run time"});
  }
  const std::pair<const char*, const std::string&> all[] = {{"--data", flags.data.path},
                                                            {"--observers", options.observers},
                                                            {"--save-observers", options.save_observers},
                                                            {"--resume", flags.resume}};
  for (const auto& [flag, value] : all) {
    if (value.empty()) continue;
    throw Error(
        {.where = fmt::format("{} {}", flag, value),
         .what = fmt::format("{} takes nothing from data: scales are chosen when the program runs", flags.recipe),
         .hint = fmt::format("leave {} out", flag)});
  }
}

ExitCode quantize(const Options& options) {
  const at::NoGradGuard no_grad;
  const CalibrationFlags& flags = options.calibration;
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& path : {options.output, options.save_observers}) {
    if (!path.empty()) check_output_path(path);
  }
  RecipeQuantizer quantizer(load_recipe(flags.recipe));
  PreparedProgram prepared = prepare_pt2e(load_pt2(flags.program), quantizer);
  Done done{.left_though_asked = shortfall(prepared.report(), quantizer).size()};
  if (!options.allow_partial) refuse_shortfall(flags.program, shortfall(prepared.report(), quantizer));
  check_data(options, prepared);
  refuse_synthetic(flags, prepared);
  const InterruptGuard interrupt;
  std::unique_ptr<Dataset> data;
  UnfinishedCalibration place;
  if (!flags.data.path.empty()) {
    data = open_data(flags.data, prepared.program(), Split::kTrain);
    done.data = data->name();
    place = calibrate_with(*data, prepared, flags, interrupt);
    done.samples = place.samples;
  } else if (!options.observers.empty()) {
    done.samples = read_observers(prepared, flags.recipe, options.observers);
  }
  if (!options.save_observers.empty()) {
    save_statistics(collect_statistics(prepared, flags.recipe, done.samples), options.save_observers);
  }
  if (options.output.empty()) {
    print_saved(options, done.samples);
  } else {
    const Program reference = prepared.program().clone();
    const bool rounds =
        std::ranges::any_of(reference.graph(), [&](const Node& node) { return rounds_to_data(quantizer, node); });
    // Rounding may take minutes: what was calibrated is on disk meanwhile.
    const bool keeps = rounds && data != nullptr;
    const std::string kept =
        keeps ? keep_calibration(prepared, flags.recipe, done.samples, place, flags.checkpoint) : "";
    ConvertedProgram converted = convert_pt2e(std::move(prepared));
    if (keeps) {
      done.rounded_layers = round_weights(converted, reference, quantizer, *data, flags, interrupt, kept);
    } else if (rounds) {
      converted.report.refusals.push_back(
          {flags.recipe, "weights are rounded to the nearest codes: rounding them to the data needs --data"});
    }
    save_pt2(converted.program, options.output);
    if (keeps) std::filesystem::remove(flags.checkpoint);
    done.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    print_quantized(options, converted.report, quantizer, done);
  }
  if (!flags.resume.empty()) std::filesystem::remove(flags.resume);  // its work is in the output
  return done.left_though_asked > 0 ? kPartial : kDone;
}

}  // namespace

void add_quantize(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<Options>();
  CalibrationFlags& flags = options->calibration;
  CLI::App* command = app.add_subcommand(
      "quantize", "Quantize a program, with calibration data where the recipe takes any, and save it");
  command->add_option("PROGRAM", flags.program, "A float .pt2 archive")->required();
  command->add_option("--recipe", flags.recipe, "A name that `torquant recipes` lists, or a JSON file")->required();
  CLI::Option* data = add_data_flags(
      *command, flags.data,
      "Calibration data, like those the program will meet: a file (safetensors, npz, npy, IDX images), a "
      "folder with one, or a folder of JPEG and PNG images; `synthetic` makes inputs up",
      "How many to calibrate with, from the first; 512 if absent");
  command->add_option("-o,--output", options->output, "The .pt2 to write");
  command->add_option("--save-observers", options->save_observers,
                      "Write what the observers saw, to be merged with that of other data; without -o nothing else");
  CLI::Option* observers = command->add_option("--observers", options->observers,
                                               "Take what the observers saw from this file, not from data");
  CLI::Option* resume = command->add_option(
      "--resume", flags.resume, "Go on with an interrupted calibration; the file is removed when the work is done");
  CLI::Option* batch_size =
      command->add_option("--batch-size", flags.batch_size, "Samples a call; one, or what export fixed, if absent")
          ->check(at_least_one());
  for (CLI::Option* of_data : {data, command->get_option("--samples"), batch_size, resume})
    observers->excludes(of_data);
  command->add_flag("--allow-partial", options->allow_partial,
                    "Go on where layers asked for must stay in float; ends with code 3");
  command->add_flag("--allow-synthetic", flags.allow_synthetic,
                    "Let `--data synthetic` set ranges: for trying the flow, not for use");
  command->add_flag("--json", flags.json, "Print the result as one JSON object, progress as JSON lines on stderr");
  command->callback([options, &exit_code] {
    if (options->output.empty() && options->save_observers.empty()) {
      throw CLI::ValidationError("--output or --save-observers is required");
    }
    options->calibration.checkpoint =
        (options->output.empty() ? options->save_observers : options->output) + ".calibration";
    exit_code = quantize(*options);
  });
}

}  // namespace torquant::cli
