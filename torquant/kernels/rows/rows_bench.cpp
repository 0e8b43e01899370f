#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "torquant/kernels/rows/rows_internal.h"

// Nanoseconds a number, of the shapes of MiniLM with 128 tokens.

namespace torquant {
namespace {

struct Arrays {
  std::vector<float> x, y, weight, scale;
  std::vector<uint8_t> codes;
  std::vector<int32_t> zero_point;

  Arrays(size_t rows, size_t columns)
      : x(rows * columns), y(x.size()), weight(columns, 0.9f), scale(rows, 0.1f), codes(x.size()), zero_point(rows) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7919 % 10007) / 1000 - 5;
  }
};

struct Task {
  const char* name;
  size_t rows, columns;
  void (*run)(const RowsKernels& kernels, size_t rows, size_t columns, Arrays& of);
};

template <MapFunction function>
void map(const RowsKernels& kernels, size_t rows, size_t columns, Arrays& of) {
  kernels.map({.count = rows * columns, .x = of.x.data(), .y = of.y.data(), .function = function, .a = 1, .b = 20});
}

void quantize(const RowsKernels& kernels, size_t rows, size_t columns, Arrays& of) {
  kernels.quantize({.rows = rows,
                    .columns = columns,
                    .x = of.x.data(),
                    .x_step = columns,
                    .codes = of.codes.data(),
                    .codes_step = columns,
                    .scale = of.scale.data(),
                    .zero_point = of.zero_point.data()});
}

template <bool residual, bool rms>
void normalize(const RowsKernels& kernels, size_t rows, size_t columns, Arrays& of) {
  kernels.normalize({.rows = rows,
                     .columns = columns,
                     .x = of.x.data(),
                     .x_step = columns,
                     .residual = residual ? of.x.data() : nullptr,
                     .residual_step = columns,
                     .weight = of.weight.data(),
                     .bias = rms ? nullptr : of.weight.data(),
                     .epsilon = 1e-12f,
                     .rms = rms,
                     .y = of.y.data(),
                     .y_step = columns});
}

void softmax(const RowsKernels& kernels, size_t rows, size_t columns, Arrays& of) {
  kernels.softmax({.rows = rows,
                   .columns = columns,
                   .x = of.x.data(),
                   .x_step = columns,
                   .y = of.y.data(),
                   .y_step = columns,
                   .log = false});
}

constexpr Task kTasks[] = {
    {"quantize 128x384", 128, 384, quantize},
    {"quantize 128x1536", 128, 1536, quantize},
    {"layer norm 128x384", 128, 384, normalize<false, false>},
    {"layer norm 8x384", 8, 384, normalize<false, false>},
    {"quantize 8x384", 8, 384, quantize},
    {"layer norm of a sum 128x384", 128, 384, normalize<true, false>},
    {"RMS norm 128x384", 128, 384, normalize<false, true>},
    {"softmax 1536x128", 1536, 128, softmax},
    {"softmax 1536x37", 1536, 37, softmax},
    {"gelu 128x1536", 128, 1536, map<MapFunction::kGelu>},
    {"gelu_tanh 128x1536", 128, 1536, map<MapFunction::kGeluTanh>},
    {"silu 128x1536", 128, 1536, map<MapFunction::kSilu>},
    {"sigmoid 128x1536", 128, 1536, map<MapFunction::kSigmoid>},
    {"tanh 128x1536", 128, 1536, map<MapFunction::kTanh>},
    {"exp 128x1536", 128, 1536, map<MapFunction::kExp>},
    {"log 128x1536", 128, 1536, map<MapFunction::kLog>},
    {"mish 128x1536", 128, 1536, map<MapFunction::kMish>},
    {"softplus 128x1536", 128, 1536, map<MapFunction::kSoftplus>},
};

const bool kRegistered = [] {
  for (const CpuIsa isa : {CpuIsa::kScalar, CpuIsa::kAvx2, CpuIsa::kAvx512Vnni, CpuIsa::kNeonDot}) {
    const RowsKernels& kernels = select_rows_kernels(isa);
    if (!cpu_has(isa) || kernels.isa != isa) continue;
    for (const Task& task : kTasks) {
      const std::string name = "rows_" + std::string(kernels.name) + "/" + task.name;
      benchmark::RegisterBenchmark(name.c_str(), [&](benchmark::State& state) {
        Arrays arrays(task.rows, task.columns);
        for (auto _ : state) {
          task.run(kernels, task.rows, task.columns, arrays);
          benchmark::ClobberMemory();
        }
        const auto numbers = static_cast<double>(task.rows * task.columns) * static_cast<double>(state.iterations());
        state.counters["s/number"] =
            benchmark::Counter(numbers, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
      })->MinTime(0.1);
    }
  }
  return true;
}();

}  // namespace
}  // namespace torquant
