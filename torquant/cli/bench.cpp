#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "torquant/cli/commands.h"
#include "torquant/cli/executable.h"
#include "torquant/cli/inputs.h"
#include "torquant/cli/usage.h"

namespace torquant::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUpRuns = 3;  // kernels are chosen, caches and the allocator filled

struct Options {
  std::string program, input, lower;
  int runs = 30;
  bool raw = false;
  bool json = false;
};

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// The smallest of the sorted `times` that is no less than `share` of them.
double quantile(const std::vector<double>& times, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(times.size())));
  return times[std::max<size_t>(rank, 1) - 1];
}

void bench(const Options& options) {
  const at::NoGradGuard no_grad;
  const Clock::time_point start = Clock::now();
  const std::unique_ptr<Executable> program = load_executable(options.program, options.lower);
  const std::vector<c10::IValue> inputs = read_inputs(options.input, program->input_names());
  std::vector<double> times;
  program->run(inputs);
  const double first = milliseconds_since(start);
  for (int run = 0; run < kWarmUpRuns; ++run) program->run(inputs);
  for (int run = 0; run < options.runs; ++run) {
    const Clock::time_point begin = Clock::now();
    program->run(inputs);
    times.push_back(milliseconds_since(begin));
  }
  if (options.raw) {
    for (const double time : times) fmt::print("{:.4f}\n", time);
    return;
  }
  std::sort(times.begin(), times.end());
  const double median = quantile(times, 0.5), p99 = quantile(times, 0.99);
  if (options.json) {
    const nlohmann::ordered_json result = {{"runs", options.runs}, {"threads", at::get_num_threads()},
                                           {"min_ms", times[0]},   {"median_ms", median},
                                           {"p99_ms", p99},        {"load_and_first_ms", first}};
    fmt::print("{}\n", result.dump());
    return;
  }
  fmt::print("{}: {} runs, {} threads\n", options.program, options.runs, at::get_num_threads());
  fmt::print("  min {:.3f} ms, median {:.3f} ms, p99 {:.3f} ms; loading and the first run {:.0f} ms\n", times[0],
             median, p99, first);
}

}  // namespace

void add_bench(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("bench", "Measure how long one run of a program takes");
  command->add_option("PROGRAM", options->program, "A .pt2 archive, or a .tqm model")->required();
  command->add_option("--input", options->input, "Safetensors with x0, x1, … or the names of the program's inputs")
      ->required();
  command->add_option("--runs", options->runs, "How many to measure")->check(at_least_one())->capture_default_str();
  add_lower_option(*command, options->lower);
  CLI::Option* raw = command->add_flag("--raw", options->raw, "Print the milliseconds of each run, one a line");
  command->add_flag("--json", options->json, "Print one JSON object")->excludes(raw);
  command->callback([options, &exit_code] {
    bench(*options);
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
