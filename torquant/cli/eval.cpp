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
#include "torquant/cli/metrics.h"
#include "torquant/cli/output.h"
#include "torquant/cli/progress.h"
#include "torquant/cli/usage.h"
#include "torquant/core/error.h"
#include "torquant/data/open_dataset.h"
#include "torquant/graph/interpreter.h"
#include "torquant/io/pt2.h"

namespace torquant::cli {
namespace {

// What one call takes where nothing else decides: enough to keep the kernels busy, little memory.
constexpr int64_t kPreferredBatch = 64;

struct Options {
  std::string program, data;
  std::optional<int64_t> samples, batch_size;
  bool json = false;
};

ClassificationMetrics evaluate(const Options& options) {
  const Program program = load_pt2(options.program);
  const std::unique_ptr<Dataset> data = open_dataset(options.data, Split::kTest);
  if (!data->sample(0).labels.defined()) {
    throw Error({.where = data->name(),
                 .what = "has no labels to compare with",
                 .hint = "add y (npz), <sample>.y (safetensors) or the …labels-idx1… file beside the images"});
  }
  const BatchPlan plan = plan_batches(program, *data, options.batch_size, kPreferredBatch);
  const int64_t total = std::min(options.samples.value_or(data->size()), data->size());
  Progress progress("eval", total, progress_style(options.json));
  Interpreter interpreter(program);
  ClassificationMetrics metrics;
  for (int64_t first = 0; first < total; first += plan.samples_per_call) {
    const int64_t count = std::min(plan.samples_per_call, total - first);
    Sample batch = load_batch(*data, first, count);
    const int64_t rows = batch.labels.numel();
    const at::Tensor labels = batch.labels;
    batch = padded(std::move(batch), plan.fixed_rows);
    try {
      const std::vector<at::Tensor> outputs = interpreter.forward(batch.inputs);
      if (outputs.empty()) throw Error({.what = "the program has no output"});
      const at::Tensor& logits = outputs[0];
      metrics.add(logits.dim() > 0 && logits.size(0) > rows ? logits.narrow(0, 0, rows) : logits, labels);
    } catch (const Error& error) {
      throw error.within(
          fmt::format("{} on samples {} to {} of {}", options.program, first, first + count - 1, data->name()));
    }
    progress.update(first + count);
  }
  return metrics;
}

}  // namespace

void add_eval(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("eval", "Measure a classifier on labelled data: top-1, top-5, loss");
  command->add_option("PROGRAM", options->program, "A .pt2 archive whose first output are logits [N, classes]")
      ->required();
  command->add_option("--data", options->data, "Labelled data: a file or folder (safetensors, npz, IDX images)")
      ->required();
  command->add_option("--samples", options->samples, "Only the first so many")->check(at_least_one());
  command->add_option("--batch-size", options->batch_size, "Samples a call; as the program allows if absent")
      ->check(at_least_one());
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
