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
#include "torquant/cli/output.h"
#include "torquant/cli/usage.h"
#include "torquant/runtime/roof.h"

namespace torquant::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUpRuns = 3;  // kernels are chosen, caches and the allocator filled

struct Options {
  std::string program, input, lower;
  int runs = 30;
  bool raw = false;
  bool nodes = false;
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

// The least that each node took in a run.
std::vector<NodeTime> least_times(Executable& program, const std::vector<c10::IValue>& inputs, int runs) {
  std::vector<NodeTime> least = program.profile(inputs);
  for (int run = 1; run < runs; ++run) {
    const std::vector<NodeTime> times = program.profile(inputs);
    for (size_t i = 0; i < least.size(); ++i) least[i].seconds = std::min(least[i].seconds, times[i].seconds);
  }
  return least;
}

void print_nodes(const std::vector<NodeTime>& nodes, const runtime::Roof& roof) {
  double all = 0, macs = 0, at_roof = 0;  // seconds that the products would take
  const auto roof_of = [&](const NodeTime& node) { return node.in_float ? roof.float_macs : roof.macs; };
  for (const NodeTime& node : nodes) {
    const auto count = static_cast<double>(node.macs);
    all += node.seconds, macs += count, at_roof += count / roof_of(node);
  }
  std::vector<std::vector<std::string>> rows = {{"node", "kernel", "ms", "of all", "MMAC", "GMAC/s", "of roof"}};
  const auto add = [&](const std::string& name, const std::string& kernel, double seconds, double count,
                       double roof_seconds) {
    const double rate = seconds > 0 ? count / seconds : 0;
    rows.push_back({name, kernel, fmt::format("{:.3f}", seconds * 1e3), fmt::format("{:.1f} %", 100 * seconds / all),
                    count > 0 ? fmt::format("{:.1f}", count / 1e6) : "",
                    count > 0 ? fmt::format("{:.0f}", rate / 1e9) : "",
                    count > 0 ? fmt::format("{:.0f} %", 100 * roof_seconds / seconds) : ""});
  };
  for (const NodeTime& node : nodes) {
    const auto count = static_cast<double>(node.macs);
    add(node.node, node.kernel, node.seconds, count, count / roof_of(node));
  }
  add("all", "", all, macs, at_roof);
  fmt::print("\n");
  print_table(rows);
  fmt::print("\nroof: {:.0f} GMAC/s of int8, {:.0f} of float32 from the first cache, {:.1f} GB/s from memory\n",
             roof.macs / 1e9, roof.float_macs / 1e9, roof.read_bytes / 1e9);
}

nlohmann::ordered_json json_of(const std::vector<NodeTime>& nodes) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const NodeTime& node : nodes) {
    list.push_back({{"node", node.node}, {"kernel", node.kernel}, {"ms", node.seconds * 1e3}, {"macs", node.macs}});
  }
  return list;
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
  std::vector<NodeTime> nodes;
  runtime::Roof roof{};
  if (options.nodes) {
    nodes = least_times(*program, inputs, options.runs);
    roof = runtime::measure_roof(*program->isa(), static_cast<size_t>(at::get_num_threads()));
  }
  std::sort(times.begin(), times.end());
  const double median = quantile(times, 0.5), p99 = quantile(times, 0.99);
  if (options.json) {
    nlohmann::ordered_json result = {{"runs", options.runs}, {"threads", at::get_num_threads()},
                                     {"min_ms", times[0]},   {"median_ms", median},
                                     {"p99_ms", p99},        {"load_and_first_ms", first}};
    if (const std::optional<size_t> bytes = program->memory_bytes()) result["memory_bytes"] = *bytes;
    if (options.nodes) {
      result["nodes"] = json_of(nodes);
      result["roof"] = {
          {"macs_per_s", roof.macs}, {"float_macs_per_s", roof.float_macs}, {"read_bytes_per_s", roof.read_bytes}};
    }
    fmt::print("{}\n", result.dump());
    return;
  }
  fmt::print("{}: {} runs, {} threads\n", options.program, options.runs, at::get_num_threads());
  fmt::print("  min {:.3f} ms, median {:.3f} ms, p99 {:.3f} ms; loading and the first run {:.0f} ms\n", times[0],
             median, p99, first);
  if (const std::optional<size_t> bytes = program->memory_bytes()) {
    fmt::print("  {} beside the file for what nodes hand on\n", bytes_text(static_cast<int64_t>(*bytes)));
  }
  if (options.nodes) print_nodes(nodes, roof);
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
  command->add_flag("--nodes", options->nodes, "Show what each node of a .tqm model takes")->excludes(raw);
  command->add_flag("--json", options->json, "Print one JSON object")->excludes(raw);
  command->callback([options, &exit_code] {
    bench(*options);
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
