// Quantize and dequantize of converted graphs, beside the five ATen operations that PyTorch's own definitions run.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/round.h>
#include <ATen/ops/zeros.h>
#include <benchmark/benchmark.h>

#include "torquant/primitives/decomposed.h"

namespace torquant {
namespace {

constexpr double kScale = 0.02;
constexpr int64_t kZeroPoint = 3;
const QuantRange kRange = {-128, 127};

void report(benchmark::State& state, int64_t elements) { state.SetItemsProcessed(state.iterations() * elements); }

at::Tensor activation(const benchmark::State& state) { return at::randn({state.range(0)}); }

void BM_QuantizePerTensor(benchmark::State& state) {
  at::set_num_threads(1);
  const at::Tensor x = activation(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(decomposed::quantize_per_tensor(x, kScale, kZeroPoint, kRange, at::kChar));
  }
  report(state, x.numel());
}

void BM_QuantizePerTensorAten(benchmark::State& state) {
  at::set_num_threads(1);
  const at::Tensor x = activation(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(at::clamp(at::round(x * (1.0 / kScale)) + kZeroPoint, -128, 127).to(at::kChar));
  }
  report(state, x.numel());
}

void BM_DequantizePerTensor(benchmark::State& state) {
  at::set_num_threads(1);
  const at::Tensor codes = activation(state).mul(50).to(at::kChar);
  for (auto _ : state) {
    benchmark::DoNotOptimize(decomposed::dequantize_per_tensor(codes, kScale, kZeroPoint, at::kChar));
  }
  report(state, codes.numel());
}

void BM_DequantizePerTensorAten(benchmark::State& state) {
  at::set_num_threads(1);
  const at::Tensor codes = activation(state).mul(50).to(at::kChar);
  for (auto _ : state) benchmark::DoNotOptimize((codes.to(at::kFloat) - kZeroPoint) * kScale);
  report(state, codes.numel());
}

// A weight [out, in] by channel: axis 0 has long runs, axis 1 one element a run.
void BM_QuantizePerChannel(benchmark::State& state) {
  at::set_num_threads(1);
  const at::Tensor weight = at::randn({1024, 1024});
  const ScaleAndZeroPoint qparams = {at::full({1024}, kScale), at::zeros({1024}, at::kLong)};
  for (auto _ : state) {
    benchmark::DoNotOptimize(decomposed::quantize_per_channel(weight, qparams, state.range(0), kRange, at::kChar));
  }
  report(state, weight.numel());
}

void BM_QuantizeGroups(benchmark::State& state) {
  at::set_num_threads(1);
  const at::Tensor weight = at::randn({1024, 1024});
  const int64_t group = state.range(0);
  for (auto _ : state) {
    const ScaleAndZeroPoint qparams = choose_qparams_affine(weight, {1, group}, {.target = DType::kInt4});
    benchmark::DoNotOptimize(quantize_affine(weight, {1, group}, qparams, {.dtype = DType::kInt4}));
  }
  report(state, weight.numel());
}

BENCHMARK(BM_QuantizePerTensor)->Arg(1 << 12)->Arg(1 << 18)->Arg(1 << 22);
BENCHMARK(BM_QuantizePerTensorAten)->Arg(1 << 12)->Arg(1 << 18)->Arg(1 << 22);
BENCHMARK(BM_DequantizePerTensor)->Arg(1 << 12)->Arg(1 << 18)->Arg(1 << 22);
BENCHMARK(BM_DequantizePerTensorAten)->Arg(1 << 12)->Arg(1 << 18)->Arg(1 << 22);
BENCHMARK(BM_QuantizePerChannel)->Arg(0)->Arg(1);
BENCHMARK(BM_QuantizeGroups)->Arg(32)->Arg(128);

}  // namespace
}  // namespace torquant
