#include "torquant/cli/calibration.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "torquant/cli/batches.h"
#include "torquant/cli/checkpoint.h"
#include "torquant/cli/output.h"
#include "torquant/cli/progress.h"
#include "torquant/core/error.h"
#include "torquant/observer/passive_observer.h"
#include "torquant/pt2e/calibrate.h"
#include "torquant/pt2e/observer_statistics.h"

namespace torquant::cli {
namespace {

// Ranges settle long before this; more samples cost time and gain little.
constexpr int64_t kDefaultSamples = 512;

int64_t wanted_samples(const Dataset& data, const CalibrationFlags& flags) {
  return std::min(flags.data.samples.value_or(kDefaultSamples), data.size());
}

}  // namespace

size_t observers_without_range(const PreparedProgram& prepared) {
  const auto waits = [](const PlacedObserver& placed) {
    const bool is_passive = std::dynamic_pointer_cast<PassiveObserver>(placed.observer) != nullptr;
    return placed.observer != nullptr && !is_passive && !placed.observer->observed();
  };
  return static_cast<size_t>(std::ranges::count_if(prepared.observers(), waits));
}

void refuse_synthetic(const CalibrationFlags& flags, const PreparedProgram& prepared) {
  const size_t waiting = observers_without_range(prepared);
  if (!flags.data.is_synthetic() || flags.allow_synthetic || waiting == 0) return;
  throw Error({.where = "--data synthetic",
               .what = fmt::format("{} takes {} ranges of activations from the data, and those of made-up inputs are "
                                   "wrong for real ones",
                                   flags.recipe, waiting),
               .hint = "give data like those the program will meet, or --allow-synthetic where only the flow, the size "
                       "or the speed is to be tried"});
}

UnfinishedCalibration calibrate_with(const Dataset& data, PreparedProgram& prepared, const CalibrationFlags& flags,
                                     const InterruptGuard& interrupt) {
  const BatchPlan plan = plan_batches(prepared.program(), data, flags.batch_size, /*preferred=*/1);
  const int64_t wanted = wanted_samples(data, flags);
  // A program of a fixed batch takes whole batches only; padding would count some samples twice.
  const int64_t total = plan.fixed_rows > 1 ? wanted / plan.samples_per_call * plan.samples_per_call : wanted;
  if (total == 0) {
    throw Error(
        {.where = data.name(),
         .what = fmt::format("gives {} of the {} samples of a batch, the size that the program was exported for",
                             wanted, plan.fixed_rows),
         .hint = "give more samples, or export the program with a dynamic batch"});
  }
  const auto count_of = [&](int64_t batch) {
    return std::min(plan.samples_per_call, total - batch * plan.samples_per_call);
  };
  UnfinishedCalibration place = {.position = {},
                                 .samples = total,
                                 .samples_per_batch = plan.samples_per_call,
                                 .data = fingerprint(data.sample(0).inputs)};
  int64_t done = flags.resume.empty() ? 0 : resume_calibration(prepared, flags.recipe, flags.resume, place);
  note_subset("calibrating with", total, data, flags.json);
  Progress progress("calibrate", total, progress_style(flags.json));
  CalibrateOptions how = {.threads = at::get_num_threads()};
  how.after_batch = [&](int64_t batches) {
    done = std::min(batches * plan.samples_per_call, total);
    progress.update(done);
  };
  how.stop = [&] { return interrupt.received(); };
  how.name_of = [&](int64_t batch) {
    const int64_t first = batch * plan.samples_per_call;
    return fmt::format("{} on samples {} to {} of {}", flags.program, first, first + count_of(batch) - 1, data.name());
  };
  const auto load = [&](int64_t batch) {
    return load_batch(data, batch * plan.samples_per_call, count_of(batch)).inputs;
  };
  const int64_t batches = (total + plan.samples_per_call - 1) / plan.samples_per_call;
  if (!calibrate(prepared, batches, load, place.position, how)) {
    interrupt.end(fmt::format("{} of {} calibration samples", with_commas(done), with_commas(total)),
                  keep_calibration(prepared, flags.recipe, done, place, flags.checkpoint));
  }
  return place;
}

std::vector<std::vector<at::Tensor>> first_samples(const Dataset& data, const Program& program,
                                                   const CalibrationFlags& flags, int64_t count) {
  const BatchPlan plan = plan_batches(program, data, flags.batch_size, /*preferred=*/1);
  const int64_t total = std::min(count, wanted_samples(data, flags));
  std::vector<std::vector<at::Tensor>> calls;
  for (int64_t first = 0; first < total; first += plan.samples_per_call) {
    const int64_t rows = std::min(plan.samples_per_call, data.size() - first);
    calls.push_back(padded(load_batch(data, first, rows), plan.fixed_rows).inputs);
  }
  return calls;
}

}  // namespace torquant::cli
