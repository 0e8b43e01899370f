#include "torquant/kernels/rows/rows.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>

#include "tests/support/float_rows.h"

namespace torquant {
namespace {

class EachKernel : public RowsKernel {};
TORQUANT_TEST_ROWS(EachKernel);

TEST_P(EachKernel, QuantizesAsScalar) {
  for_all_rows([&](const Rows& rows) {
    const Quantized made = quantize(kernels(), rows), expected = quantize(scalar(), rows);
    ASSERT_EQ(made.codes, expected.codes) << rows.columns;
    ASSERT_EQ(bits_of(made.scale), bits_of(expected.scale)) << rows.columns;
    ASSERT_EQ(made.zero_point, expected.zero_point) << rows.columns;
  });
}

TEST_P(EachKernel, NormalizesAsScalar) {
  for_all_rows([&](const Rows& rows) {
    for (const Norm& how : {Norm{}, Norm{.residual = true, .weight = true, .bias = true}, Norm{.weight = true},
                            Norm{.bias = true}, Norm{.weight = true, .rms = true}, Norm{.residual = true, .rms = true}})
      ASSERT_EQ(bits_of(normalize(kernels(), rows, how)), bits_of(normalize(scalar(), rows, how))) << rows.columns;
  });
}

TEST_P(EachKernel, SoftmaxAsScalar) {
  for_all_rows([&](const Rows& rows) {
    for (const bool log : {false, true})
      ASSERT_EQ(bits_of(softmax(kernels(), rows, log)), bits_of(softmax(scalar(), rows, log))) << rows.columns;
  });
}

TEST_P(EachKernel, MapsAsScalar) {
  Floats x;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 49999)
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  for (const Kind kind : kKinds) {
    for (const float each : numbers(kind, 1000, 5)) x.push_back(each);
  }
  for (size_t function = 0; function < kMapFunctions; ++function) {
    const auto f = static_cast<MapFunction>(function);
    ASSERT_EQ(bits_of(map(kernels(), x, f, -1.3f, 20)), bits_of(map(scalar(), x, f, -1.3f, 20))) << function;
    for (size_t count = 1; count <= 70; ++count) {
      const Floats some(x.end() - 4000, x.end() - 4000 + static_cast<ptrdiff_t>(count));
      ASSERT_EQ(bits_of(map(kernels(), some, f, 2, 1)), bits_of(map(scalar(), some, f, 2, 1)))
          << function << ", " << count;
    }
  }
}

// exp makes what softmax and most functions are made of.
TEST_P(EachKernel, MapsExpAsScalarDensely) {
  constexpr size_t kBlock = 4096;
  Floats x(kBlock);
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += kBlock * 997) {
    for (size_t i = 0; i < kBlock; ++i) x[i] = std::bit_cast<float>(static_cast<uint32_t>(bits + i * 997));
    ASSERT_EQ(bits_of(map(kernels(), x, MapFunction::kExp)), bits_of(map(scalar(), x, MapFunction::kExp))) << bits;
  }
}

TEST_P(EachKernel, CombinesAsScalar) {
  for_all_rows([&](const Rows& rows) {
    const Floats &a = rows.x, b = numbers(Kind::kMixed, a.size(), 9);
    for (const auto function :
         {BinaryFunction::kAdd, BinaryFunction::kSubtract, BinaryFunction::kMultiply, BinaryFunction::kDivide}) {
      for (int one = 0; one < 4; ++one) {
        const auto run = [&](const RowsKernels& kernels) {
          Floats y(rows.columns + 3, kUntouched);
          kernels.binary({.count = rows.columns,
                          .a = a.data(),
                          .b = b.data(),
                          .one_a = one % 2 == 1,
                          .one_b = one / 2 == 1,
                          .y = y.data(),
                          .function = function});
          return bits_of(y);
        };
        ASSERT_EQ(run(kernels()), run(scalar())) << rows.columns;
      }
    }
  });
}

TEST_P(EachKernel, TakesMeansAsScalar) {
  for_all_rows([&](const Rows& rows) {
    const auto run = [&](const RowsKernels& kernels) {
      Floats y(rows.rows);
      kernels.mean(
          {.rows = rows.rows, .columns = rows.columns, .x = rows.x.data(), .x_step = rows.step, .y = y.data()});
      return bits_of(y);
    };
    ASSERT_EQ(run(kernels()), run(scalar())) << rows.columns;
  });
}

// Hashes of the bits that x86-64 gives.
TEST_P(EachKernel, GivesTheBitsOfOtherProcessors) {
  Rows rows(Kind::kZeros, 20, 301);
  for (size_t i = 0; i < rows.x.size(); ++i)
    rows.x[i] = static_cast<float>(i * 7919 % 10007) * (i % 3 == 0 ? 0x1p-9f : -0x1.3p-11f);
  const Floats &weight = rows.x, bias(rows.columns, 0.3f);
  Hash maps, codes, norms, softmaxes;
  Floats bits;
  for (uint64_t each = 0; each < uint64_t{1} << 32; each += 99991)
    bits.push_back(std::bit_cast<float>(static_cast<uint32_t>(each)));
  for (size_t function = 0; function < kMapFunctions; ++function)
    maps.add(map(kernels(), bits, static_cast<MapFunction>(function), -1.3f, 20));
  const Quantized made = quantize(kernels(), rows);
  for (const uint8_t code : made.codes) codes.add(code);
  codes.add(made.scale);
  Floats y(rows.x.size());
  kernels().normalize({.rows = rows.rows,
                       .columns = rows.columns,
                       .x = rows.x.data(),
                       .x_step = rows.step,
                       .residual = rows.x.data(),
                       .residual_step = 5,
                       .weight = weight.data(),
                       .bias = bias.data(),
                       .epsilon = 1e-5f,
                       .rms = false,
                       .y = y.data(),
                       .y_step = rows.step});
  norms.add(y);
  kernels().mean({.rows = rows.rows, .columns = rows.columns, .x = rows.x.data(), .x_step = rows.step, .y = y.data()});
  norms.add(y);
  softmaxes.add(softmax(kernels(), rows));
  EXPECT_EQ(maps.value(), 8372337025008061782u);
  EXPECT_EQ(codes.value(), 7478928422934585775u);
  EXPECT_EQ(norms.value(), 569805971118340559u);
  EXPECT_EQ(softmaxes.value(), 14626278455205738905u);
}

TEST_P(EachKernel, TakesMeans) {
  const Rows rows(Kind::kUsual, 3, 1003);
  Floats y(3);
  kernels().mean({.rows = 3, .columns = 1003, .x = rows.x.data(), .x_step = rows.step, .y = y.data()});
  for (size_t r = 0; r < 3; ++r) {
    double sum = 0;
    for (size_t c = 0; c < 1003; ++c) sum += rows.x[r * rows.step + c];
    EXPECT_NEAR(y[r], sum / 1003, 1e-6);
  }
}

TEST_P(EachKernel, WritesNothingBehindTheLastNumber) {
  for (size_t count = 1; count <= 40; ++count) {
    const Floats y = map(kernels(), Floats(count, 2), MapFunction::kMultiply, 3);
    for (size_t i = 0; i < count + 3; ++i) EXPECT_EQ(y[i], i < count ? 6 : kUntouched) << count;
  }
}

TEST(SelectRowsKernels, TakesTheBestThatTheIsaRuns) {
  EXPECT_EQ(std::string(select_rows_kernels(CpuIsa::kScalar).name), "scalar");
#if defined(__x86_64__)
  EXPECT_EQ(std::string(select_rows_kernels(CpuIsa::kAvx2).name), "avx2");
  EXPECT_EQ(std::string(select_rows_kernels(CpuIsa::kAvx512Vnni).name), "avx512vnni");
#elif defined(__aarch64__)
  EXPECT_EQ(std::string(select_rows_kernels(CpuIsa::kNeonDot).name), "neondot");
#endif
}

}  // namespace
}  // namespace torquant
