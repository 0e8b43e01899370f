#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "torquant/core/packed_depthwise.h"
#include "torquant/kernels/depthwise/depthwise_internal.h"

// GMAC/s of the depthwise layers of MobileNetV2 and EfficientNet-Lite0, in images with the border that they need.

namespace torquant {
namespace {

struct Layer {
  const char* name;
  size_t side, channels, kernel, stride, dilation = 1;  // side of the output
};

constexpr Layer kLayers[] = {
    {"mobilenet 112x112x32 3x3", 112, 32, 3, 1},      {"mobilenet 56x56x96 3x3 s2", 56, 96, 3, 2},
    {"mobilenet 56x56x144 3x3", 56, 144, 3, 1},       {"mobilenet 28x28x144 3x3 s2", 28, 144, 3, 2},
    {"mobilenet 28x28x192 3x3", 28, 192, 3, 1},       {"mobilenet 14x14x192 3x3 s2", 14, 192, 3, 2},
    {"mobilenet 14x14x384 3x3", 14, 384, 3, 1},       {"mobilenet 14x14x576 3x3", 14, 576, 3, 1},
    {"mobilenet 7x7x576 3x3 s2", 7, 576, 3, 2},       {"mobilenet 7x7x960 3x3", 7, 960, 3, 1},
    {"efficientnet 28x28x144 5x5 s2", 28, 144, 5, 2}, {"efficientnet 28x28x240 5x5", 28, 240, 5, 1},
    {"efficientnet 14x14x240 3x3 s2", 14, 240, 3, 2}, {"efficientnet 14x14x480 3x3", 14, 480, 3, 1},
    {"efficientnet 14x14x480 5x5", 14, 480, 5, 1},    {"efficientnet 14x14x672 5x5", 14, 672, 5, 1},
    {"efficientnet 7x7x672 5x5 s2", 7, 672, 5, 2},    {"efficientnet 7x7x1152 5x5", 7, 1152, 5, 1},
    {"efficientnet 7x7x1152 3x3", 7, 1152, 3, 1},     {"dilated 28x28x192 3x3", 28, 192, 3, 1, 2},
};

void run(benchmark::State& state, const DepthwiseKernel& kernel, const Layer& layer) {
  const PackedDepthwiseShape shape{.channels = layer.channels, .taps = layer.kernel * layer.kernel};
  std::vector<int8_t> codes(layer.channels * shape.taps), packed(shape.bytes());
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(i * 31 % 255 - 127);
  pack_depthwise(shape, codes.data(), packed.data());
  const size_t input_side = (layer.side - 1) * layer.stride + (layer.kernel - 1) * layer.dilation + 1;
  const size_t input_bytes = input_side * input_side * layer.channels + 64;
  const size_t output_bytes = layer.side * layer.side * layer.channels;
  auto* input = static_cast<uint8_t*>(std::aligned_alloc(64, (input_bytes + 63) / 64 * 64));
  auto* output = static_cast<uint8_t*>(std::aligned_alloc(64, (output_bytes + 63) / 64 * 64));
  for (size_t i = 0; i < input_bytes; ++i) input[i] = static_cast<uint8_t>(i * 37);
  const std::vector<int32_t> start(shape.padded_channels(), 5);
  const std::vector<float> multiplier(shape.padded_channels(), 1e-3f), offset(shape.padded_channels(), 128);
  DepthwiseArgs args{.channels = layer.channels,
                     .output_height = layer.side,
                     .output_width = layer.side,
                     .kernel_height = layer.kernel,
                     .kernel_width = layer.kernel,
                     .stride_height = layer.stride,
                     .stride_width = layer.stride,
                     .dilation_height = layer.dilation,
                     .dilation_width = layer.dilation,
                     .input = input,
                     .input_row_step = input_side * layer.channels,
                     .input_pixel_step = layer.channels,
                     .weights = packed.data(),
                     .weight_step = shape.padded_channels(),
                     .start = start.data(),
                     .multiplier = multiplier.data(),
                     .offset = offset.data(),
                     .lo = 0,
                     .hi = 255,
                     .output = output,
                     .output_row_step = layer.side * layer.channels,
                     .output_pixel_step = layer.channels,
                     .residual = nullptr,
                     .residual_row_step = 0,
                     .residual_pixel_step = 0,
                     .residual_multiplier = 0,
                     .scratch = nullptr};
  args.scratch = static_cast<uint8_t*>(std::aligned_alloc(64, (depthwise_scratch_bytes(args) + 63) / 64 * 64));
  for (auto _ : state) {
    kernel.run(args);
    benchmark::ClobberMemory();
  }
  const double macs = static_cast<double>(output_bytes * shape.taps);
  state.counters["GMAC/s"] =
      benchmark::Counter(macs / 1e9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  std::free(args.scratch);
  std::free(output);
  std::free(input);
}

const bool kRegistered = [] {
  const DepthwiseKernel kernels[] = {
#define TORQUANT_DEPTHWISE_KERNEL(function, isa) {#function, CpuIsa::isa, function},
#include "torquant/kernels/depthwise/kernels.inc"
#undef TORQUANT_DEPTHWISE_KERNEL
  };
  for (const DepthwiseKernel& kernel : kernels) {
    if (!cpu_has(kernel.isa) || kernel.isa == CpuIsa::kScalar) continue;
    for (const Layer& layer : kLayers) {
      const std::string name = std::string(kernel.name) + "/" + layer.name;
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        run(state, kernel, layer);
      })->MinTime(0.1);
    }
  }
  return true;
}();

}  // namespace
}  // namespace torquant
