// What prepare and convert take of a program of 5,000 nodes: 1,250 blocks convolution, batch norm, ReLU, residual add.
// The tensors are tiny, so the time is that of the graph work. Linear: a quarter of the blocks takes a quarter of it.
#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

constexpr int64_t kChannels = 4;

// So small that the values stay near 1 through all blocks.
at::Tensor small(at::IntArrayRef sizes) { return at::randn(sizes) * 1e-4; }

Program chain(int64_t blocks) {
  Program program;
  Graph& graph = program.graph();
  const TensorMeta meta = contiguous_meta(at::kFloat, {int64_t{1}, kChannels, int64_t{4}, int64_t{4}});
  program.input_specs().push_back({InputKind::kUser, ""});
  Value* x = graph.add_input("x", meta);
  const auto call = [&](const char* op, const std::string& name, std::vector<NamedArgument> args) {
    return graph.add_output(graph.append(OpId(op), name, std::move(args)), name, meta);
  };
  for (int64_t i = 0; i < blocks; ++i) {
    const auto name = [&](const char* what) { return fmt::format("{}_{}", what, i); };
    const auto state = [&](const char* what) { return fmt::format("blocks.{}.{}", i, what); };
    Value* weight = program.add_parameter(state("conv.weight"), small({kChannels, kChannels, 1, 1}));
    Value* bias = program.add_parameter(state("conv.bias"), small({kChannels}));
    Value* conv = call("aten.conv2d.default", name("conv2d"), {{"input", x}, {"weight", weight}, {"bias", bias}});
    std::vector<NamedArgument> args = {{"input", conv}};
    for (const char* what : {"weight", "bias", "running_mean", "running_var"}) {
      args.push_back({what, program.add_buffer(state("bn.") + what, at::ones({kChannels}))});
    }
    args.push_back({"training", false});
    args.push_back({"momentum", 0.1});
    args.push_back({"eps", 1e-5});
    args.push_back({"cudnn_enabled", false});
    Value* normed = call("aten.batch_norm.default", name("batch_norm"), std::move(args));
    Value* relu = call("aten.relu.default", name("relu"), {{"self", normed}});
    x = call("aten.add.Tensor", name("add"), {{"self", relu}, {"other", x}});
  }
  graph.set_outputs({x});
  program.output_specs().emplace_back();
  return program;
}

void prepare_and_convert(benchmark::State& state) {
  const Program program = chain(state.range(0));
  XNNPACKQuantizer quantizer;
  quantizer.set_global(get_symmetric_quantization_config({.is_per_channel = state.range(1) != 0}));
  const at::Tensor batch = at::randn({1, kChannels, 4, 4});
  for (auto _ : state) {
    PreparedProgram prepared = prepare_pt2e(program.clone(), quantizer);
    state.PauseTiming();
    prepared.forward({batch});
    state.ResumeTiming();
    benchmark::DoNotOptimize(convert_pt2e(std::move(prepared)));
  }
  state.counters["nodes"] = static_cast<double>(program.graph().size());
}
BENCHMARK(prepare_and_convert)
    ->ArgNames({"blocks", "per_channel"})
    ->Args({312, 0})
    ->Args({1250, 0})
    ->Args({1250, 1})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace torquant
