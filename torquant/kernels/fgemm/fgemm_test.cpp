#include "torquant/kernels/fgemm/fgemm.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "torquant/core/packed_floats.h"
#include "torquant/kernels/fgemm/fgemm_internal.h"

namespace torquant {
namespace {

using Floats = std::vector<float>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kUntouched = 12345;

constexpr FgemmKernel kKernels[] = {
#define TORQUANT_FGEMM_KERNEL(function, isa, row_tile) {#function, CpuIsa::isa, function, row_tile},
#include "torquant/kernels/fgemm/kernels.inc"
#undef TORQUANT_FGEMM_KERNEL
};

std::vector<uint32_t> bits_of(const Floats& numbers) {
  std::vector<uint32_t> bits;
  for (const float x : numbers) bits.push_back(std::isnan(x) ? 0x7fc00000 : std::bit_cast<uint32_t>(x));
  return bits;
}

// A product of rows that lie as those of a convolution do: pieces of different images' rows, which overlap.
struct Product {
  size_t rows, columns, runs, run_length;
  bool residual = false, clamps = false;
  bool odd_numbers = false;  // infinities, NaN, the least numbers

  size_t depth() const { return runs * run_length; }
  size_t input_offset(size_t row) const { return row * 3; }
  size_t run_offset(size_t run) const { return run * (run_length + 5); }
};

struct Data {
  Floats input, weight, bias, residual, packed_weights, packed_bias;
  std::vector<int32_t> input_offset, run_offset;
  float lo, hi;

  explicit Data(const Product& p) : lo(p.clamps ? -0.5f : -kInfinity), hi(p.clamps ? 0.75f : kInfinity) {
    std::mt19937 random(static_cast<uint32_t>(p.rows * 31 + p.columns * 7 + p.depth()));
    const float odd[] = {kInfinity, -kInfinity, std::nanf(""), 1e-45f, -0.0f, 3e38f};
    const auto fill = [&](Floats& numbers, size_t count, bool is_odd) {
      for (size_t i = 0; i < count; ++i)
        numbers.push_back(is_odd && random() % 16 == 0 ? odd[random() % 6]
                                                       : std::uniform_real_distribution<float>(-1, 1)(random));
    };
    fill(input, p.input_offset(p.rows - 1) + p.run_offset(p.runs - 1) + p.run_length, p.odd_numbers);
    fill(weight, p.columns * p.depth(), p.odd_numbers);
    fill(bias, p.columns, false);
    fill(residual, p.rows * (p.columns + 1), p.odd_numbers);
    for (size_t m = 0; m < p.rows; ++m) input_offset.push_back(static_cast<int32_t>(p.input_offset(m)));
    for (size_t r = 0; r < p.runs; ++r) run_offset.push_back(static_cast<int32_t>(p.run_offset(r)));
    const PackedFloatsShape shape{.channels = p.columns, .inputs = p.depth()};
    packed_weights.resize(shape.floats());
    pack_floats(shape, weight.data(), packed_weights.data());
    packed_bias = bias;
    packed_bias.resize(shape.panels() * 16, 0);
  }
};

// K11 as it stands.
Floats expected(const Product& p, const Data& data) {
  Floats output(p.rows * (p.columns + 2), kUntouched);
  for (size_t m = 0; m < p.rows; ++m) {
    for (size_t n = 0; n < p.columns; ++n) {
      float sum = data.bias[n];
      for (size_t k = 0; k < p.depth(); ++k) {
        const size_t at = p.input_offset(m) + p.run_offset(k / p.run_length) + k % p.run_length;
        sum = std::fma(data.input[at], data.weight[n * p.depth() + k], sum);
      }
      if (p.residual) sum += data.residual[m * (p.columns + 1) + n];
      output[m * (p.columns + 2) + n] = data.hi < sum ? data.hi : sum < data.lo ? data.lo : sum;
    }
  }
  return output;
}

Floats computed(const FgemmKernel& kernel, const Product& p, const Data& data) {
  Floats output(p.rows * (p.columns + 2), kUntouched);
  kernel.run({.rows = p.rows,
              .columns = p.columns,
              .input = data.input.data(),
              .input_offset = data.input_offset.data(),
              .runs = p.runs,
              .run_length = p.run_length,
              .run_offset = data.run_offset.data(),
              .weights = data.packed_weights.data(),
              .bias = data.packed_bias.data(),
              .lo = data.lo,
              .hi = data.hi,
              .output = output.data(),
              .output_step = p.columns + 2,
              .residual = p.residual ? data.residual.data() : nullptr,
              .residual_step = p.columns + 1});
  return output;
}

class EachFgemm : public testing::TestWithParam<FgemmKernel> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU has no " << name_of(GetParam().isa);
  }
  static void expect_exact(const Product& product) {
    const Data data(product);
    EXPECT_EQ(bits_of(computed(GetParam(), product, data)), bits_of(expected(product, data)))
        << product.rows << " rows, " << product.columns << " columns, " << product.runs << " runs of "
        << product.run_length;
  }
};

TEST_P(EachFgemm, GivesTheFormulasBitsForAllTiles) {
  for (size_t rows = 1; rows <= 27; ++rows) {
    for (const size_t columns : {1, 5, 16, 21, 32, 33, 64, 70}) expect_exact({rows, columns, 1, 19});
  }
}

TEST_P(EachFgemm, GivesTheFormulasBitsForAllDepths) {
  for (size_t run_length = 1; run_length <= 40; ++run_length) {
    for (const size_t runs : {1, 3}) expect_exact({13, 40, runs, run_length});
  }
  expect_exact({5, 17, 9, 257});
}

TEST_P(EachFgemm, AddsAResidualAndClamps) {
  for (const size_t columns : {3, 16, 31, 48}) {
    expect_exact({.rows = 14, .columns = columns, .runs = 2, .run_length = 7, .residual = true});
    expect_exact({.rows = 14, .columns = columns, .runs = 2, .run_length = 7, .clamps = true});
    expect_exact({.rows = 14, .columns = columns, .runs = 2, .run_length = 7, .residual = true, .clamps = true});
  }
}

TEST_P(EachFgemm, TreatsInfinitiesAndNanAsTheFormulaDoes) {
  for (const bool clamps : {false, true}) {
    expect_exact({.rows = 25, .columns = 50, .runs = 1, .run_length = 4, .clamps = clamps, .odd_numbers = true});
    expect_exact({.rows = 25,
                  .columns = 50,
                  .runs = 1,
                  .run_length = 4,
                  .residual = true,
                  .clamps = clamps,
                  .odd_numbers = true});
  }
}

INSTANTIATE_TEST_SUITE_P(Fgemm, EachFgemm, testing::ValuesIn(kKernels),
                         [](const auto& kernel) { return std::string(kernel.param.name); });

TEST(SelectFgemm, TakesTheBestThatTheCpuRuns) {
  EXPECT_EQ(select_fgemm(CpuIsa::kScalar).isa, CpuIsa::kScalar);
  EXPECT_EQ(select_fgemm(kKernels[0].isa).isa, kKernels[0].isa);
}

}  // namespace
}  // namespace torquant
