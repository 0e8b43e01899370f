#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "torquant/cli/batches.h"
#include "torquant/cli/commands.h"
#include "torquant/cli/data_flags.h"
#include "torquant/cli/executable.h"
#include "torquant/cli/inputs.h"
#include "torquant/cli/metrics.h"
#include "torquant/cli/output.h"
#include "torquant/cli/progress.h"
#include "torquant/cli/usage.h"
#include "torquant/core/error.h"

namespace torquant::cli {
namespace {

// What one call takes where nothing else decides: enough to keep the kernels busy, little memory.
constexpr int64_t kPreferredBatch = 64;

struct Options {
  std::string program, lower;
  DataFlags data;
  std::optional<int64_t> batch_size;
  bool json = false;
};

// A class without a folder shifts the labels of all behind it.
void note_missing_classes(const Dataset& data, int64_t classes, bool json) {
  const auto folders = static_cast<int64_t>(data.class_names().size());
  if (folders == 0 || folders == classes) return;
  print_note(fmt::format("{} class folders for a program of {} classes: the label of a folder is its place in the "
                         "order of their names, so that one that is missing shifts those behind it",
                         with_commas(folders), with_commas(classes)),
             json);
}

ClassificationMetrics evaluate(const Options& options) {
  const std::unique_ptr<Executable> executable = load_executable(options.program, options.lower);
  const Program& program = executable->program();
  const std::unique_ptr<Dataset> data = open_data(options.data, program, Split::kTest);
  if (!data->sample(0).labels.defined()) {
    throw Error({.where = data->name(),
                 .what = "has no labels to compare with",
                 .hint =
                     "add y (npz), <sample>.y (safetensors), the …labels-idx1… file (IDX), or a folder for each class "
                     "of images"});
  }
  const BatchPlan plan = plan_batches(program, *data, options.batch_size, kPreferredBatch);
  const int64_t total = std::min(options.data.samples.value_or(data->size()), data->size());
  note_subset("judging by", total, *data, options.json);
  Progress progress("eval", total, progress_style(options.json));
  ClassificationMetrics metrics;
  for (int64_t first = 0; first < total; first += plan.samples_per_call) {
    const int64_t count = std::min(plan.samples_per_call, total - first);
    Sample batch = load_batch(*data, first, count);
    const int64_t rows = batch.labels.numel();
    const at::Tensor labels = batch.labels;
    batch = padded(std::move(batch), plan.fixed_rows);
    try {
      const std::vector<c10::IValue> outputs = executable->run({batch.inputs.begin(), batch.inputs.end()});
      if (outputs.empty() || !outputs[0].isTensor()) throw Error({.what = "the program's first output is no tensor"});
      const at::Tensor& logits = outputs[0].toTensor();
      metrics.add(logits.dim() > 0 && logits.size(0) > rows ? logits.narrow(0, 0, rows) : logits, labels);
    } catch (const Error& error) {
      throw error.within(
          fmt::format("{} on samples {} to {} of {}", options.program, first, first + count - 1, data->name()));
    }
    progress.update(first + count);
  }
  note_missing_classes(*data, metrics.classes(), options.json);
  return metrics;
}

}  // namespace

void add_eval(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("eval", "Measure a classifier on labelled data: top-1, top-5, loss");
  command
      ->add_option("PROGRAM", options->program,
                   "A .pt2 archive or .tqm model whose first output are logits [N, classes]")
      ->required();
  add_data_flags(
      *command, options->data,
      "Labelled data: a file (safetensors, npz, IDX images), a folder with one, or a folder with a folder of "
      "JPEG and PNG images for each class",
      "Only the first so many")
      ->required();
  command->add_option("--batch-size", options->batch_size, "Samples a call; as the program allows if absent")
      ->check(at_least_one());
  add_lower_option(*command, options->lower);
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &exit_code] {
    const at::NoGradGuard no_grad;
    const ClassificationMetrics metrics = evaluate(*options);
    if (options->json) {
      const nlohmann::ordered_json result = {{"samples", metrics.samples()},
                                             {"classes", metrics.classes()},
                                             {"top1", metrics.top1()},
                                             {"top5", metrics.top5()},
                                             {"loss", metrics.loss()}};
      fmt::print("{}\n", result.dump());
    } else {
      fmt::print("{}: {} samples, {} classes\n", options->program, with_commas(metrics.samples()), metrics.classes());
      fmt::print("  top-1  {:.2f} %\n  top-5  {:.2f} %\n  loss   {:.4f}\n", 100 * metrics.top1(), 100 * metrics.top5(),
                 metrics.loss());
    }
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
