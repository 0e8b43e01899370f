// What the interpreter adds to the operators themselves: 1,000 negations of one number, through the interpreter and as
// plain calls of LibTorch's C++ functions. The difference, over 1,000, is the overhead a node.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/ones.h>
#include <benchmark/benchmark.h>

#include "torquant/graph/interpreter.h"

namespace torquant {
namespace {

constexpr int kNodes = 1000;

Program chain(const char* op, const char* second) {
  Program program;
  program.input_specs().push_back({InputKind::kUser, ""});
  Value* x = program.graph().add_input("x", contiguous_meta(at::kFloat, {int64_t{1}}));
  for (int i = 0; i < kNodes; ++i) {
    const std::string name = program.graph().unique_name("y");
    std::vector<NamedArgument> args = {{"self", x}};
    if (second != nullptr) args.push_back({second, x});
    x = program.graph().add_output(program.graph().append(OpId(op), name, std::move(args)), name, x->tensor());
  }
  program.graph().set_outputs({x});
  program.output_specs().emplace_back();
  return program;
}

void per_node(benchmark::State& state) {
  state.counters["per_node"] =
      benchmark::Counter(kNodes, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void interpreted(benchmark::State& state, const char* op, const char* second) {
  const at::NoGradGuard no_grad;
  const Program program = chain(op, second);
  Interpreter interpreter(program);
  const std::vector<at::Tensor> inputs = {at::ones({1})};
  for (auto _ : state) benchmark::DoNotOptimize(interpreter.forward(inputs));
  per_node(state);
}
BENCHMARK_CAPTURE(interpreted, neg, "aten.neg.default", nullptr)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(interpreted, add, "aten.add.Tensor", "other")->Unit(benchmark::kMicrosecond);

void direct_neg(benchmark::State& state) {
  const at::NoGradGuard no_grad;
  const at::Tensor input = at::ones({1});
  for (auto _ : state) {
    at::Tensor x = input;
    for (int i = 0; i < kNodes; ++i) x = at::neg(x);
    benchmark::DoNotOptimize(x);
  }
  per_node(state);
}
BENCHMARK(direct_neg)->Unit(benchmark::kMicrosecond);

void direct_add(benchmark::State& state) {
  const at::NoGradGuard no_grad;
  const at::Tensor input = at::ones({1});
  for (auto _ : state) {
    at::Tensor x = input;
    for (int i = 0; i < kNodes; ++i) x = at::add(x, x);
    benchmark::DoNotOptimize(x);
  }
  per_node(state);
}
BENCHMARK(direct_add)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace torquant
