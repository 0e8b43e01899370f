#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/float_steps.h"
#include "tests/support/tiny_floats.h"
#include "torquant/kernels/rows/rows.h"

// Nodes on floats, run as models of one node; kernels/rows/map_rows_test.cpp has the formulas.
namespace torquant::runtime {
namespace {

using namespace format;

TEST_F(FloatSteps, MapsEachNumber) {
  build({{1, 5, 3, 7}, {1, 5, 3, 7}}, FloatMap{0, 1, FloatFunction::kClamp, -1, 2.5f});
  expect_each_image([](std::vector<Floats> x) {
    for (float& each : x[0]) each = std::min(std::max(each, -1.0f), 2.5f);
    return x[0];
  });
}

// Each function of a file by the kernel's of the same place in its enumeration.
TEST_F(FloatSteps, MapsByEachFunction) {
  static_assert(kFloatFunctions == kMapFunctions);
  for (size_t function = 0; function < kFloatFunctions; ++function) {
    build({{1, 70}, {1, 70}}, FloatMap{0, 1, static_cast<FloatFunction>(function), -1, 2});
    std::vector<Floats> x = random_inputs(1);
    for (float& each : x[0]) each = std::abs(each);  // whose logarithms and roots can be compared
    Floats expected(70);
    select_rows_kernels(CpuIsa::kScalar)
        .map({.count = 70,
              .x = x[0].data(),
              .y = expected.data(),
              .function = static_cast<MapFunction>(function),
              .a = -1,
              .b = 2});
    EXPECT_EQ(run(x, 1, 2)[0], expected) << function;
  }
}

TEST_F(FloatSteps, RepeatsWhatIsOfSizeOne) {
  const Sizes full = {1, 4, 3, 5};
  const std::vector<std::pair<Sizes, Sizes>> cases = {
      {full, full},         {full, {1, 4, 1, 1}}, {full, {1, 1, 3, 5}},         {full, {1, 1, 1, 5}},
      {full, {1, 4, 3, 1}}, {full, {1, 1, 1, 1}}, {full, {1, 4, 1, 5}},         {full, {1, 1, 3, 1}},
      {{1, 4, 1, 1}, full}, {{1, 1, 3, 1}, full}, {{1, 4, 1, 5}, {1, 1, 3, 1}}, {{1, 1, 3, 5}, {1, 4, 1, 1}}};
  for (const auto& [a, b] : cases) {
    build({a, b, full}, FloatBinary{0, 1, 2, FloatArithmetic::kSubtract});
    expect_each_image([&](const std::vector<Floats>& x) {
      Floats y;
      const auto at = [](const Sizes& sizes, size_t c, size_t h, size_t w) {
        const auto size = [&](size_t d) { return static_cast<size_t>(sizes[d]); };
        return (c % size(1) * size(2) + h % size(2)) * size(3) + w % size(3);
      };
      for (size_t c = 0; c < 4; ++c) {
        for (size_t h = 0; h < 3; ++h) {
          for (size_t w = 0; w < 5; ++w) y.push_back(x[0][at(a, c, h, w)] - x[1][at(b, c, h, w)]);
        }
      }
      return y;
    });
  }
}

TEST_F(FloatSteps, TakesMeansOfImages) {
  build({{1, 9, 4, 4}, {1, 9}}, FloatMean{0, 1});
  expect_each_image([](const std::vector<Floats>& x) {
    Floats y;
    for (ptrdiff_t c = 0; c < 9; ++c) {
      Floats sums(x[0].begin() + c * 16, x[0].begin() + c * 16 + 16);
      for (size_t width = 8; width > 0; width /= 2) {  // K8's order
        for (size_t i = 0; i < width; ++i) sums[i] += sums[i + width];
      }
      y.push_back(sums[0] / 16);
    }
    return y;
  });
}

TEST_F(FloatSteps, SoftmaxAlongEachDimension) {
  for (const uint32_t dim : {1u, 2u, 3u}) {
    build({{1, 3, 5, 40}, {1, 3, 5, 40}}, Softmax{0, 1, dim, false});
    const std::vector<Floats> x = random_inputs(2);
    const Floats y = run(x, 2, 1)[0];
    const size_t sizes[] = {2, 3, 5, 40}, step = dim == 1 ? 200 : dim == 2 ? 40 : 1;
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t first = i - i / step % sizes[dim] * step;
      double sum = 0;
      for (size_t j = 0; j < sizes[dim]; ++j) sum += std::exp(x[0][first + j * step]);
      ASSERT_NEAR(y[i], std::exp(x[0][i]) / sum, 1e-6) << "dim " << dim;
    }
    for (size_t threads = 2; threads <= 4; ++threads) EXPECT_EQ(run(x, 2, threads)[0], y);
  }
}

TEST_F(FloatSteps, MovesNumbersAndPutsThemBehindOneAnother) {
  build({{1, 2, 3, 4}, {1, 2, 4, 3}}, Rearrange{0, 1, 0, {2, 4, 3}, {12, 1, 4}});
  expect_each_image([](const std::vector<Floats>& x) {
    Floats y;
    for (size_t i = 0; i < 24; ++i) y.push_back(x[0][i / 12 * 12 + i % 3 * 4 + i / 3 % 4]);
    return y;
  });
  build({{1, 2, 3, 4}, {1, 5, 3, 4}, {1, 7, 3, 4}}, Concat{{0, 1}, 2});
  expect_each_image([](std::vector<Floats> x) {
    x[0].insert(x[0].end(), x[1].begin(), x[1].end());
    return x[0];
  });
}

TEST_F(FloatSteps, NamesItsKernels) {
  TinyFloats tiny;
  model_ = tiny.model;
  store();
  const std::vector<std::string>& kernels = (*loaded_->plan_for(1))->steps.kernels;
  EXPECT_EQ(kernels[2], "float_silu");
  EXPECT_EQ(kernels[3], "float_mean");
  EXPECT_EQ(kernels[4], "float_multiply");
  EXPECT_EQ(kernels[7], "softmax");
}

// Floats between codes, in memory that is used again: every size of batch and number of threads gives an image's own
// numbers, and what is handed out in the middle is what the nodes behind read.
TEST_F(FloatSteps, RunsBetweenCodes) {
  TinyFloats tiny;
  model_ = tiny.model;
  store();
  const std::vector<Floats> inputs = random_inputs(4);
  const size_t size = elements(0, 1);
  for (const size_t batch : {1, 4}) {
    for (size_t threads = 1; threads <= 4; ++threads) {
      const std::vector<Floats> all =
          run({{inputs[0].begin(), inputs[0].begin() + static_cast<ptrdiff_t>(batch * size)}}, batch, threads);
      for (size_t image = 0; image < batch; ++image) {
        const Floats one(inputs[0].begin() + static_cast<ptrdiff_t>(image * size),
                         inputs[0].begin() + static_cast<ptrdiff_t>((image + 1) * size));
        Floats codes, wide, mean(8, 0);
        for (const float x : one)
          codes.push_back(std::min(std::max(std::nearbyint(x * static_cast<float>(1 / 0.05)) + 120, 0.0f), 255.0f));
        for (size_t n = 0; n < 8; ++n) {
          double sum = 0;
          for (size_t at = 0; at < 20; ++at) {
            int acc = 0;
            for (size_t k = 0; k < 6; ++k)
              acc += (static_cast<int>(codes[k * 20 + at]) - 120) * (static_cast<int>((n * 6 + k) * 37) % 201 - 100);
            const double real = std::fma(static_cast<float>(acc), 2e-4f, 0.25f);
            wide.push_back(static_cast<float>(real / (1 + std::exp(-real))));
            sum += wide.back();
          }
          mean[n] = static_cast<float>(sum / 20);
        }
        // Twice the same channels: a softmax of 16 is half of one of 8.
        for (size_t c = 0; c < 16; ++c) {
          for (size_t at = 0; at < 20; ++at) {
            const size_t pixel = at % 4 * 5 + at / 4;
            double sum = 0;
            for (size_t n = 0; n < 8; ++n) sum += 2 * std::exp(static_cast<double>(wide[n * 20 + pixel] * mean[n]));
            const double expected = std::exp(static_cast<double>(wide[c % 8 * 20 + pixel] * mean[c % 8])) / sum;
            EXPECT_NEAR(all[1][(image * 16 + c) * 20 + at], expected, 1e-6);
          }
          for (size_t at = 0; at < 4; ++at) {
            float most = 0;
            for (const size_t in : {0, 1, 4, 5})
              most = std::max(most, std::nearbyint(all[1][(image * 16 + c) * 20 + at / 2 * 8 + at % 2 * 2 + in] *
                                                   static_cast<float>(1 / 0.05)));
            EXPECT_EQ(all[0][(image * 16 + c) * 4 + at], most * 0.05f);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace torquant::runtime
