#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "torquant/core/packed_weights.h"
#include "torquant/kernels/igemm/igemm_internal.h"

// GMAC/s of layers of ResNet-50, MobileNetV2 and MiniLM (multiply-accumulates that the layer needs, not those of
// tails).

namespace torquant {
namespace {

struct Layer {
  const char* name;
  size_t rows, columns, runs, run_bytes;
};

constexpr Layer kLayers[] = {
    {"resnet50 56x56 1x1 64>64", 3136, 64, 1, 64},    {"resnet50 56x56 3x3 64>64", 3136, 64, 3, 192},
    {"resnet50 56x56 1x1 64>256", 3136, 256, 1, 64},  {"resnet50 28x28 3x3 128>128", 784, 128, 3, 384},
    {"resnet50 14x14 3x3 256>256", 196, 256, 3, 768}, {"resnet50 14x14 1x1 1024>256", 196, 256, 1, 1024},
    {"resnet50 7x7 3x3 512>512", 49, 512, 3, 1536},   {"resnet50 7x7 1x1 512>2048", 49, 2048, 1, 512},
    {"mobilenet 112x112 32>16", 12544, 16, 1, 32},    {"mobilenet 112x112 16>96", 12544, 96, 1, 16},
    {"mobilenet 56x56 24>144", 3136, 144, 1, 24},     {"mobilenet 56x56 144>24", 3136, 24, 1, 144},
    {"mobilenet 14x14 64>384", 196, 384, 1, 64},      {"mobilenet 7x7 960>160", 49, 160, 1, 960},
    {"minilm 128 384>1536", 128, 1536, 1, 384},       {"minilm 128 1536>384", 128, 384, 1, 1536},
};

enum class Output { kCodes, kReals, kRealsOfOwnRows };

void run(benchmark::State& state, const IgemmKernel& kernel, const Layer& layer, int greatest_weight, Output kind) {
  const PackedShape shape{.channels = layer.columns, .inputs = layer.run_bytes, .kernel_height = layer.runs};
  const size_t padded = shape.panels() * 16, row_bytes = layer.run_bytes;
  std::vector<int8_t> codes(layer.columns * layer.runs * layer.run_bytes);
  // As trained ones are: the largest of a channel at about three and a half standard deviations.
  std::mt19937 random(1);
  std::normal_distribution<double> normal(0, 36);
  for (int8_t& code : codes) {
    const auto greatest = static_cast<double>(greatest_weight);
    code = static_cast<int8_t>(std::lround(std::clamp(normal(random), -greatest, greatest)));
  }
  int8_t* packed = static_cast<int8_t*>(std::aligned_alloc(64, shape.bytes()));
  pack_weights(shape, codes.data(), packed);
  const std::vector<uint8_t> fits = pairs_fit(shape, packed);
  std::vector<uint8_t> input(row_bytes * (layer.rows + 64 * layer.runs), 100);
  const size_t element = kind == Output::kCodes ? 1 : sizeof(float);
  std::vector<uint8_t> output(layer.rows * layer.columns * element);
  std::vector<int32_t> input_offset, run_offset, output_offset, start(padded, 5);
  for (size_t m = 0; m < layer.rows; ++m) {
    input_offset.push_back(static_cast<int32_t>(m * row_bytes / layer.runs));
    output_offset.push_back(static_cast<int32_t>(m * layer.columns * element));
  }
  for (size_t r = 0; r < layer.runs; ++r) run_offset.push_back(static_cast<int32_t>(r * 60 * row_bytes / layer.runs));
  const std::vector<float> multiplier(padded, 1e-3f), offset(padded, 128), row_scale(layer.rows, 0.5f);
  const std::vector<int32_t> row_zero_point(layer.rows, 120);
  IgemmArgs args{.rows = layer.rows,
                 .columns = layer.columns,
                 .input = input.data(),
                 .input_offset = input_offset.data(),
                 .runs = layer.runs,
                 .run_quads = layer.run_bytes / 4,
                 .run_offset = run_offset.data(),
                 .weights = packed,
                 .pairs_fit = fits.data(),
                 .start = start.data(),
                 .multiplier = multiplier.data(),
                 .offset = offset.data(),
                 .lo = 0,
                 .hi = 255,
                 .to_reals = kind != Output::kCodes,
                 .output = output.data(),
                 .output_offset = output_offset.data(),
                 .residual = nullptr,
                 .residual_offset = nullptr,
                 .residual_multiplier = 0};
  if (kind == Output::kRealsOfOwnRows) {
    args.row_scale = row_scale.data();
    args.row_zero_point = row_zero_point.data();
    args.column_sum = start.data();
  }
  for (auto _ : state) {
    kernel.run(args);
    benchmark::ClobberMemory();
  }
  const double macs = static_cast<double>(layer.rows * layer.columns * layer.runs * layer.run_bytes);
  state.counters["GMAC/s"] =
      benchmark::Counter(macs / 1e9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  std::free(packed);
}

const bool kRegistered = [] {
  const IgemmKernel kernels[] = {
#define TORQUANT_IGEMM_KERNEL(function, isa, row_tile) {#function, CpuIsa::isa, function, row_tile},
#include "torquant/kernels/igemm/kernels.inc"
#undef TORQUANT_IGEMM_KERNEL
  };
  for (const IgemmKernel& kernel : kernels) {
    if (!cpu_has(kernel.isa) || kernel.isa == CpuIsa::kScalar) continue;
    for (const Layer& layer : kLayers) {
      for (const int greatest_weight : {64, 127}) {
        if (greatest_weight == 64 && kernel.isa != CpuIsa::kAvx2) continue;  // weights matter to AVX2 alone
        const std::string name = std::string(kernel.name) + (greatest_weight == 64 ? "/pairs fit/" : "/") + layer.name;
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
          run(state, kernel, layer, greatest_weight, Output::kCodes);
        })->MinTime(0.1);
      }
      if (std::string(layer.name).rfind("minilm", 0) != 0) continue;
      for (const Output output : {Output::kReals, Output::kRealsOfOwnRows}) {
        const std::string name = std::string(kernel.name) + (output == Output::kReals ? "/reals/" : "/own rows/");
        benchmark::RegisterBenchmark((name + layer.name).c_str(), [=](benchmark::State& state) {
          run(state, kernel, layer, 127, output);
        })->MinTime(0.1);
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace torquant
