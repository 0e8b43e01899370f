#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linspace.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "torquant/cli/commands.h"
#include "torquant/cli/output.h"
#include "torquant/core/error.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pt2e/convert.h"
#include "torquant/pt2e/prepare.h"
#include "torquant/quantizer/xnnpack_quantizer.h"
#include "torquant/runtime/roof.h"

namespace torquant::cli {
namespace {

// The first line of `path` that begins with `key`, behind its colon.
std::string field(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == line.npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == line.npos ? "" : line.substr(begin);
  }
  return "unknown";
}

std::string memory_text() {
  const std::string kilobytes = field("/proc/meminfo", "MemTotal");  // "24684096 kB", of 1024 bytes
  return kilobytes == "unknown" ? kilobytes : bytes_text(std::atoll(kilobytes.c_str()) * 1024);
}

// x [n, 32] → linear → relu, weights a smooth wave.
Program small_program() {
  Program program;
  Graph& graph = program.graph();
  const auto wave = [](int64_t rows, int64_t columns) {
    return at::linspace(-3, 3, rows * columns).sin().reshape({rows, columns});
  };
  Value* weight = program.add_parameter("weight", wave(16, 32));
  Value* x = graph.add_input("x", contiguous_meta(at::kFloat, {int64_t{8}, int64_t{32}}));
  program.input_specs().push_back({});
  Node* linear = graph.append(ops::kLinear, "linear", {{"input", x}, {"weight", weight}});
  Value* sums = graph.add_output(linear, "linear", contiguous_meta(at::kFloat, {int64_t{8}, int64_t{16}}));
  Node* relu = graph.append(ops::kRelu, "relu", {{"self", sums}});
  Value* y = graph.add_output(relu, "relu", contiguous_meta(at::kFloat, {int64_t{8}, int64_t{16}}));
  graph.set_outputs({y});
  program.output_specs().push_back({});
  return program;
}

// Quantizes a small program and gives the ratio of signal to noise of the result, in dB.
double self_test() {
  const at::Tensor x = at::linspace(-1, 1, 8 * 32).mul(7).cos().reshape({8, 32});
  const Program program = small_program();
  const at::Tensor expected = Interpreter(program).forward({x})[0];
  XNNPACKQuantizer quantizer;
  quantizer.set_global(get_symmetric_quantization_config({.is_per_channel = true}));
  PreparedProgram prepared = prepare_pt2e(program.clone(), quantizer);
  prepared.forward({x});
  const Program converted = convert_pt2e(std::move(prepared)).program;
  const at::Tensor got = Interpreter(converted).forward({x})[0];
  const double signal = expected.square().sum().item<double>();
  return 10 * std::log10(signal / got.sub(expected).square().sum().item<double>());
}

// Prints one line of a check and gives whether it held.
bool check(const std::string& name, bool good, const std::string& detail) {
  fmt::print("  {}  {}: {}\n", good ? "ok  " : "FAIL", name, detail);
  return good;
}

}  // namespace

void add_doctor(CLI::App& app, ExitCode& exit_code) {
  CLI::App* command = app.add_subcommand("doctor", "Show versions and CPU, and test that quantization works here");
  command->callback([&exit_code] {
    const at::NoGradGuard no_grad;
    fmt::print("torquant   {}\n", TORQUANT_VERSION);
    fmt::print("LibTorch   {}\n", TORCH_VERSION);
    fmt::print("CPU        {}\n", field("/proc/cpuinfo", "model name"));
    fmt::print("kernels    {}\n", at::get_cpu_capability());
    fmt::print("threads    {} of {} cores\n", at::get_num_threads(), std::thread::hardware_concurrency());
    fmt::print("memory     {}\n", memory_text());
    const Result<CpuIsa> isa = choose_cpu_isa();
    if (!isa.ok()) throw Error(isa.error());
    fmt::print("runtime    kernels for {}\n", name_of(*isa));
    for (const size_t threads : {size_t{1}, size_t{std::max(1u, std::thread::hardware_concurrency())}}) {
      const runtime::Roof roof = runtime::measure_roof(*isa, threads);
      fmt::print(
          "roof       {:.0f} billion products of int8 a second, {:.0f} of float32, {:.1f} GB/s from memory on {} "
          "thread{}\n",
          roof.macs / 1e9, roof.float_macs / 1e9, roof.read_bytes / 1e9, threads, threads == 1 ? "" : "s");
      if (std::thread::hardware_concurrency() <= 1) break;
    }
    fmt::print("\nself-test\n");

    bool good = true;
    for (const OpId& op : {ops::kQuantizePerTensor, ops::kDequantizePerTensor, ops::kQuantizePerChannel,
                           ops::kDequantizePerChannel, ops::kChooseQParams}) {
      good &= check(op.name(), find_operator(op) != nullptr, find_operator(op) != nullptr ? "present" : "absent");
    }
    try {
      const auto start = std::chrono::steady_clock::now();
      const double decibel = self_test();
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      // int8 on both sides leaves about 40 dB; below 30 something is wrong.
      good &= check("quantize a linear layer", decibel > 30,
                    fmt::format("{:.1f} dB signal to noise, {:.2f} s", decibel, seconds));
    } catch (const Error& error) {
      good &= check("quantize a linear layer", false, error.what());
    }
    exit_code = good ? kDone : kError;
  });
}

}  // namespace torquant::cli
