#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "torquant/kernels/attention/attention.h"

// Layers of MiniLM, BERT-base and SmolLM2 on one thread: what packing k and v takes, the rest, and both; GMAC/s of the
// two products.

namespace torquant {
namespace {

struct Layer {
  const char* name;
  size_t heads, kv_heads, head_dim, tokens;
  bool causal;
};

constexpr Layer kLayers[] = {
    {"minilm 128", 12, 12, 32, 128, false}, {"minilm 512", 12, 12, 32, 512, false},
    {"bert 128", 12, 12, 64, 128, false},   {"bert 512", 12, 12, 64, 512, false},
    {"smollm2 512", 9, 3, 64, 512, true},   {"bert 4096", 12, 12, 64, 4096, false},
};

enum Phase { kPrepare = 1, kRun = 2, kBoth = 3 };

void run(benchmark::State& state, CpuIsa isa, const Layer& layer, Phase phase) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const size_t width = (layer.heads + 2 * layer.kv_heads) * layer.head_dim;  // q, k and v of a token side by side
  std::vector<float> projection(layer.tokens * width), out(layer.tokens * layer.heads * layer.head_dim);
  for (float& number : projection) number = normal(random);
  const AttentionSteps steps{.batch = 0, .head = layer.head_dim, .token = width};
  const float* k = projection.data() + layer.heads * layer.head_dim;
  const AttentionArgs args{.batch = 1,
                           .heads = layer.heads,
                           .kv_heads = layer.kv_heads,
                           .queries = layer.tokens,
                           .keys = layer.tokens,
                           .head_dim = layer.head_dim,
                           .value_dim = layer.head_dim,
                           .q = projection.data(),
                           .k = k,
                           .v = k + layer.kv_heads * layer.head_dim,
                           .q_steps = steps,
                           .k_steps = steps,
                           .v_steps = steps,
                           .scale = 1 / std::sqrt(static_cast<float>(layer.head_dim)),
                           .causal = layer.causal,
                           .out = out.data(),
                           .out_steps = {.batch = 0, .head = layer.head_dim, .token = layer.heads * layer.head_dim}};
  auto* scratch = static_cast<uint8_t*>(std::aligned_alloc(64, attention_scratch_bytes(args, 1)));
  prepare_attention(args, isa, scratch, 0, 1);
  for (auto _ : state) {
    if ((phase & kPrepare) != 0) prepare_attention(args, isa, scratch, 0, 1);
    if ((phase & kRun) != 0) run_attention(args, isa, scratch, 0, 1);
    benchmark::ClobberMemory();
  }
  std::free(scratch);
  if (phase == kPrepare) return;
  const double macs = 2.0 * static_cast<double>(layer.heads * layer.tokens * layer.tokens * layer.head_dim);
  state.counters["GMAC/s"] =
      benchmark::Counter(macs / 1e9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

const bool kRegistered = [] {
  constexpr CpuIsa kIsas[] = {
#define TORQUANT_ATTENTION_KERNELS(suffix, isa) CpuIsa::isa,
#include "torquant/kernels/attention/kernels.inc"
#undef TORQUANT_ATTENTION_KERNELS
  };
  for (const CpuIsa isa : kIsas) {
    if (!cpu_has(isa) || isa == CpuIsa::kScalar) continue;
    for (const Layer& layer : kLayers) {
      const std::string name = "attention_" + std::string(name_of(isa)) + "/" + layer.name;
      const auto add = [&](const char* what, Phase phase) {
        benchmark::RegisterBenchmark((name + what).c_str(), [=](benchmark::State& state) {
          run(state, isa, layer, phase);
        })->Unit(benchmark::kMicrosecond);
      };
      add("", kBoth);
      add("/prepare", kPrepare);
      add("/run", kRun);
    }
  }
  return true;
}();

}  // namespace
}  // namespace torquant
