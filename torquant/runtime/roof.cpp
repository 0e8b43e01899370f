#include "torquant/runtime/roof.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <vector>

#include "torquant/core/packed_weights.h"
#include "torquant/kernels/fgemm/fgemm.h"
#include "torquant/kernels/igemm/igemm.h"
#include "torquant/kernels/thread_pool.h"

namespace torquant::runtime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSeconds = 0.1;  // of each measurement

// The least time of `task` on all threads within kSeconds.
template <class Task>
double least_seconds(ThreadPool& pool, const Task& task) {
  double least = 1e9;
  const Clock::time_point end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(kSeconds));
  do {
    const Clock::time_point begin = Clock::now();
    pool.run(task);
    least = std::min(least, std::chrono::duration<double>(Clock::now() - begin).count());
  } while (Clock::now() < end);
  return least;
}

// Products of 48 rows by 64 columns of 256 inputs: 28 kB, and few epilogues.
class Products {
 public:
  explicit Products(CpuIsa isa) : kernel_(select_igemm(isa)) {
    for (size_t row = 0; row < kRows; ++row) {
      input_offset_[row] = static_cast<int32_t>(row * kInputs);
      output_offset_[row] = static_cast<int32_t>(row * kColumns);
    }
  }

  static double count() { return static_cast<double>(kRepeats * kRows * kColumns * kInputs); }

  void operator()() {
    const IgemmArgs args{.rows = kRows,
                         .columns = kColumns,
                         .input = input_.data(),
                         .input_offset = input_offset_.data(),
                         .runs = 1,
                         .run_quads = kInputs / 4,
                         .run_offset = &kNoOffset,
                         .weights = weights_,
                         .pairs_fit = fits_,
                         .start = start_,
                         .multiplier = numbers_,
                         .offset = numbers_,
                         .lo = 0,
                         .hi = 255,
                         .to_reals = false,
                         .output = output_.data(),
                         .output_offset = output_offset_.data(),
                         .residual = nullptr,
                         .residual_offset = nullptr,
                         .residual_multiplier = 0};
    for (size_t i = 0; i < kRepeats; ++i) kernel_.run(args);
  }

 private:
  static constexpr size_t kRows = 48, kColumns = 64, kInputs = 256, kRepeats = 100;
  static constexpr int32_t kNoOffset = 0;

  const IgemmKernel& kernel_;
  std::vector<uint8_t> input_ = std::vector<uint8_t>(kRows * kInputs + 64, 1);
  std::vector<uint8_t> output_ = std::vector<uint8_t>(kRows * kColumns);
  std::vector<int32_t> input_offset_ = std::vector<int32_t>(kRows), output_offset_ = std::vector<int32_t>(kRows);
  alignas(64) int8_t weights_[kColumns * kInputs] = {};
  uint8_t fits_[kColumns / 16] = {1, 1, 1, 1};
  int32_t start_[kColumns] = {};
  float numbers_[kColumns] = {};
};

// The same of float32, by two panels of 16 columns.
class FloatProducts {
 public:
  explicit FloatProducts(CpuIsa isa) : kernel_(select_fgemm(isa)) {
    for (size_t row = 0; row < kRows; ++row) input_offset_[row] = static_cast<int32_t>(row * kInputs);
  }

  static double count() { return static_cast<double>(kRepeats * kRows * kColumns * kInputs); }

  void operator()() {
    const FgemmArgs args{.rows = kRows,
                         .columns = kColumns,
                         .input = input_.data(),
                         .input_offset = input_offset_.data(),
                         .runs = 1,
                         .run_length = kInputs,
                         .run_offset = &kNoOffset,
                         .weights = weights_,
                         .bias = bias_,
                         .lo = 0,
                         .hi = 6,
                         .output = output_.data(),
                         .output_step = kColumns,
                         .residual = nullptr,
                         .residual_step = 0};
    for (size_t i = 0; i < kRepeats; ++i) kernel_.run(args);
  }

 private:
  static constexpr size_t kRows = 12, kColumns = 32, kInputs = 128, kRepeats = 400;
  static constexpr int32_t kNoOffset = 0;

  const FgemmKernel& kernel_;
  std::vector<float> input_ = std::vector<float>(kRows * kInputs, 1), output_ = std::vector<float>(kRows * kColumns);
  std::vector<int32_t> input_offset_ = std::vector<int32_t>(kRows);
  alignas(64) float weights_[kColumns * kInputs] = {};
  float bias_[kColumns] = {};
};

}  // namespace

Roof measure_roof(CpuIsa isa, size_t threads) {
  ThreadPool pool(threads);
  std::vector<Products> products(threads, Products(isa));
  const double macs =
      static_cast<double>(threads) * Products::count() / least_seconds(pool, [&](size_t part) { products[part](); });
  std::vector<FloatProducts> floats(threads, FloatProducts(isa));
  const double float_macs =
      static_cast<double>(threads) * FloatProducts::count() / least_seconds(pool, [&](size_t part) { floats[part](); });

  constexpr size_t kBytes = size_t{128} << 20;  // more than caches hold
  const std::vector<uint64_t> memory(kBytes / sizeof(uint64_t), 1);
  std::atomic<uint64_t> sum{0};  // used, so that the loop stays
  const double seconds = least_seconds(pool, [&](size_t part) {
    const PartRange range = part_of(memory.size(), 4096, part, threads);
    const auto* begin = memory.data() + range.begin;
    sum += std::accumulate(begin, begin + (range.end - range.begin), uint64_t{0});
  });
  return {.macs = macs, .float_macs = float_macs, .read_bytes = static_cast<double>(kBytes) / seconds};
}

}  // namespace torquant::runtime
