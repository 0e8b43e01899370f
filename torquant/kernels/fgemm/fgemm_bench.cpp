#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "torquant/core/packed_floats.h"
#include "torquant/kernels/fgemm/fgemm_internal.h"

// GMAC/s of layers of ResNet-50, MobileNetV2 and MiniLM. A 3x3 convolution is one on an image with a border.

namespace torquant {
namespace {

struct Layer {
  const char* name;
  size_t rows, columns, runs, run_length, width;  // of the output, or 1
};

constexpr Layer kLayers[] = {
    {"resnet50 112x112 7x7 3>64", 12544, 64, 7, 21, 112},   {"resnet50 56x56 1x1 64>64", 3136, 64, 1, 64, 56},
    {"resnet50 56x56 3x3 64>64", 3136, 64, 3, 192, 56},     {"resnet50 56x56 1x1 64>256", 3136, 256, 1, 64, 56},
    {"resnet50 56x56 1x1 256>64", 3136, 64, 1, 256, 56},    {"resnet50 28x28 3x3 128>128", 784, 128, 3, 384, 28},
    {"resnet50 28x28 1x1 512>128", 784, 128, 1, 512, 28},   {"resnet50 14x14 3x3 256>256", 196, 256, 3, 768, 14},
    {"resnet50 14x14 1x1 1024>256", 196, 256, 1, 1024, 14}, {"resnet50 14x14 1x1 256>1024", 196, 1024, 1, 256, 14},
    {"resnet50 7x7 3x3 512>512", 49, 512, 3, 1536, 7},      {"resnet50 7x7 1x1 512>2048", 49, 2048, 1, 512, 7},
    {"resnet50 7x7 1x1 2048>512", 49, 512, 1, 2048, 7},     {"mobilenet 112x112 32>16", 12544, 16, 1, 32, 112},
    {"mobilenet 112x112 16>96", 12544, 96, 1, 16, 112},     {"mobilenet 56x56 24>144", 3136, 144, 1, 24, 56},
    {"mobilenet 56x56 144>24", 3136, 24, 1, 144, 56},       {"mobilenet 14x14 64>384", 196, 384, 1, 64, 14},
    {"mobilenet 7x7 960>160", 49, 160, 1, 960, 7},          {"minilm 128 384>1536", 128, 1536, 1, 384, 1},
    {"minilm 128 1536>384", 128, 384, 1, 1536, 1},
};

void run(benchmark::State& state, const FgemmKernel& kernel, const Layer& layer) {
  const size_t depth = layer.runs * layer.run_length, pixel = layer.run_length / layer.runs;
  const PackedFloatsShape shape{.channels = layer.columns, .inputs = depth};
  auto* weights = static_cast<float*>(std::aligned_alloc(64, shape.floats() * sizeof(float)));
  for (size_t i = 0; i < shape.floats(); ++i) weights[i] = static_cast<float>(i % 17) - 8;
  const std::vector<float> bias(shape.panels() * 16, 1.0f);
  const size_t row_of_image = (layer.width + layer.runs - 1) * pixel;
  std::vector<float> input((layer.rows / layer.width + layer.runs) * row_of_image, 0.5f),
      output(layer.rows * layer.columns);
  std::vector<int32_t> input_offset, run_offset;
  for (size_t m = 0; m < layer.rows; ++m)
    input_offset.push_back(static_cast<int32_t>(m / layer.width * row_of_image + m % layer.width * pixel));
  for (size_t r = 0; r < layer.runs; ++r) run_offset.push_back(static_cast<int32_t>(r * row_of_image));
  const FgemmArgs args{.rows = layer.rows,
                       .columns = layer.columns,
                       .input = input.data(),
                       .input_offset = input_offset.data(),
                       .runs = layer.runs,
                       .run_length = layer.run_length,
                       .run_offset = run_offset.data(),
                       .weights = weights,
                       .bias = bias.data(),
                       .lo = 0,
                       .hi = 6,
                       .output = output.data(),
                       .output_step = layer.columns,
                       .residual = nullptr,
                       .residual_step = 0};
  for (auto _ : state) {
    kernel.run(args);
    benchmark::ClobberMemory();
  }
  const double macs = static_cast<double>(layer.rows * layer.columns * depth);
  state.counters["GMAC/s"] =
      benchmark::Counter(macs / 1e9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  std::free(weights);
}

const bool kRegistered = [] {
  const FgemmKernel kernels[] = {
#define TORQUANT_FGEMM_KERNEL(function, isa, row_tile) {#function, CpuIsa::isa, function, row_tile},
#include "torquant/kernels/fgemm/kernels.inc"
#undef TORQUANT_FGEMM_KERNEL
  };
  for (const FgemmKernel& kernel : kernels) {
    if (!cpu_has(kernel.isa) || kernel.isa == CpuIsa::kScalar) continue;
    for (const Layer& layer : kLayers) {
      benchmark::RegisterBenchmark((std::string(kernel.name) + "/" + layer.name).c_str(), [=](benchmark::State& state) {
        run(state, kernel, layer);
      })->MinTime(0.05);
    }
  }
  return true;
}();

}  // namespace
}  // namespace torquant
