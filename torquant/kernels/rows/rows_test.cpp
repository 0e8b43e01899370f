#include "torquant/kernels/rows/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "torquant/kernels/rows/rows_internal.h"

namespace torquant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kUntouched = 12345;
constexpr uint8_t kUntouchedCode = 77;

using Floats = std::vector<float>;
using Codes = std::vector<uint8_t>;

// Bits, but for NaNs, which are all one.
std::vector<uint32_t> bits_of(const Floats& numbers) {
  std::vector<uint32_t> bits;
  for (const float x : numbers) bits.push_back(std::isnan(x) ? 0x7fc00000 : std::bit_cast<uint32_t>(x));
  return bits;
}

// What rows may hold: of all sizes, and what is at the borders of float32.
enum class Kind { kUsual, kHuge, kSmall, kEqual, kZeros, kMixed, kNans };
constexpr Kind kKinds[] = {Kind::kUsual, Kind::kHuge,  Kind::kSmall, Kind::kEqual,
                           Kind::kZeros, Kind::kMixed, Kind::kNans};

Floats numbers(Kind kind, size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  const auto between = [&](float lo, float hi) { return std::uniform_real_distribution<float>(lo, hi)(random); };
  const float one = between(-3, 3), odd[] = {0.0f, -0.0f, 1e-45f, -1e-40f, 3e38f, -3e38f, kInfinity, -kInfinity, kNan};
  Floats all(count);
  for (float& x : all) {
    switch (kind) {
      case Kind::kUsual:
        x = between(-6, 4);
        break;
      case Kind::kHuge:
        x = between(-3.4e38f, 3.4e38f);
        break;
      case Kind::kSmall:
        x = between(-1e-39f, 1e-39f);
        break;
      case Kind::kEqual:
        x = one;
        break;
      case Kind::kZeros:
        x = random() % 2 == 0 ? 0.0f : -0.0f;
        break;
      case Kind::kMixed:
        x = random() % 8 == 0 ? odd[random() % 8] : between(-100, 100);
        break;
      case Kind::kNans:
        x = random() % 8 == 0 ? odd[random() % 9] : between(-100, 100);
        break;
    }
  }
  return all;
}

// Rows of `columns` numbers, with two more between them that nobody may use.
struct Rows {
  size_t rows, columns, step = columns + 2;
  Floats x = {};

  Rows(Kind kind, size_t rows, size_t columns, uint32_t seed = 1)
      : rows(rows), columns(columns), x(numbers(kind, rows * step, seed)) {
    for (size_t r = 0; r < rows; ++r) x[r * step + columns] = x[r * step + columns + 1] = 1e6f;
  }
};

struct Quantized {
  Codes codes;
  Floats scale;
  std::vector<int32_t> zero_point;
};

Quantized quantize(const RowsKernels& kernels, const Rows& of, bool symmetric) {
  const size_t step = of.columns + 5;
  Quantized made{Codes(of.rows * step, kUntouchedCode), Floats(of.rows), std::vector<int32_t>(of.rows)};
  kernels.quantize({.rows = of.rows,
                    .columns = of.columns,
                    .x = of.x.data(),
                    .x_step = of.step,
                    .symmetric = symmetric,
                    .codes = made.codes.data(),
                    .codes_step = step,
                    .scale = made.scale.data(),
                    .zero_point = made.zero_point.data()});
  return made;
}

struct Norm {
  bool residual = false, weight = false, bias = false, rms = false;
};

Floats normalize(const RowsKernels& kernels, const Rows& of, const Norm& how, bool in_place = false) {
  const Rows residual(Kind::kUsual, of.rows, of.columns, 2), weight(Kind::kUsual, 1, of.columns, 3),
      bias(Kind::kUsual, 1, of.columns, 4);
  Floats y = in_place ? of.x : Floats(of.x.size(), kUntouched);
  kernels.normalize({.rows = of.rows,
                     .columns = of.columns,
                     .x = in_place ? y.data() : of.x.data(),
                     .x_step = of.step,
                     .residual = how.residual ? residual.x.data() : nullptr,
                     .residual_step = residual.step,
                     .weight = how.weight ? weight.x.data() : nullptr,
                     .bias = how.bias ? bias.x.data() : nullptr,
                     .epsilon = 1e-5f,
                     .rms = how.rms,
                     .y = y.data(),
                     .y_step = of.step});
  return y;
}

struct Soft {
  const float* multiplier = nullptr;
  const float* mask = nullptr;
  size_t mask_step = 0, first_visible_limit = SIZE_MAX, limit_step = 0;
  bool log = false;
};

Floats softmax(const RowsKernels& kernels, const Rows& of, const Soft& how, bool in_place = false) {
  Floats y = in_place ? of.x : Floats(of.x.size(), kUntouched);
  kernels.softmax({.rows = of.rows,
                   .columns = of.columns,
                   .x = in_place ? y.data() : of.x.data(),
                   .x_step = of.step,
                   .multiplier = how.multiplier,
                   .mask = how.mask,
                   .mask_step = how.mask_step,
                   .first_visible_limit = how.first_visible_limit,
                   .limit_step = how.limit_step,
                   .y = y.data(),
                   .y_step = of.step,
                   .codes = nullptr,
                   .codes_step = 0,
                   .inverse_sum = nullptr,
                   .log = how.log});
  return y;
}

struct SoftCodes {
  Codes codes;
  Floats inverse_sum;
};

SoftCodes softmax_codes(const RowsKernels& kernels, const Rows& of, const Soft& how) {
  const size_t step = of.columns + 5;
  SoftCodes made{Codes(of.rows * step, kUntouchedCode), Floats(of.rows)};
  kernels.softmax({.rows = of.rows,
                   .columns = of.columns,
                   .x = of.x.data(),
                   .x_step = of.step,
                   .multiplier = how.multiplier,
                   .mask = how.mask,
                   .mask_step = how.mask_step,
                   .first_visible_limit = how.first_visible_limit,
                   .limit_step = how.limit_step,
                   .y = nullptr,
                   .y_step = 0,
                   .codes = made.codes.data(),
                   .codes_step = step,
                   .inverse_sum = made.inverse_sum.data()});
  return made;
}

Floats map(const RowsKernels& kernels, const Floats& x, MapFunction function, float a = 0, float b = 0) {
  Floats y(x.size() + 3, kUntouched);
  kernels.map({.count = x.size(), .x = x.data(), .y = y.data(), .function = function, .a = a, .b = b});
  return y;
}

// Every line of kernels.inc that this CPU runs.
class RowsKernel : public testing::TestWithParam<RowsKernels> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam().isa);
  }
  const RowsKernels& kernels() const { return GetParam(); }
  static const RowsKernels& scalar() { return select_rows_kernels(CpuIsa::kScalar); }

  // check(rows) of each kind, of 1 to 70 columns and of long rows.
  template <class Check>
  static void for_all_rows(const Check& check) {
    for (const Kind kind : kKinds) {
      for (size_t columns = 1; columns <= 70; ++columns) check(Rows(kind, 3, columns));
      for (const size_t columns : {127, 128, 300, 385, 1000}) check(Rows(kind, 2, columns));
    }
  }
};

// ---- the same bits as scalar

TEST_P(RowsKernel, QuantizesAsScalar) {
  for_all_rows([&](const Rows& rows) {
    for (const bool symmetric : {false, true}) {
      const Quantized made = quantize(kernels(), rows, symmetric), expected = quantize(scalar(), rows, symmetric);
      ASSERT_EQ(made.codes, expected.codes) << rows.columns << " columns, symmetric " << symmetric;
      ASSERT_EQ(bits_of(made.scale), bits_of(expected.scale)) << rows.columns;
      ASSERT_EQ(made.zero_point, expected.zero_point) << rows.columns;
    }
  });
}

TEST_P(RowsKernel, NormalizesAsScalar) {
  for_all_rows([&](const Rows& rows) {
    for (const Norm& how : {Norm{}, Norm{.residual = true, .weight = true, .bias = true}, Norm{.weight = true},
                            Norm{.bias = true}, Norm{.weight = true, .rms = true}, Norm{.residual = true, .rms = true}})
      ASSERT_EQ(bits_of(normalize(kernels(), rows, how)), bits_of(normalize(scalar(), rows, how))) << rows.columns;
  });
}

TEST_P(RowsKernel, SoftmaxAsScalar) {
  for_all_rows([&](const Rows& rows) {
    const Floats multiplier = {0.3f, -1.5f, 0.01f};
    Rows mask(Kind::kUsual, rows.rows, rows.columns, 7);
    for (size_t i = 0; i < mask.x.size(); i += 3) mask.x[i] = -kInfinity;
    for (const Soft& how :
         {Soft{}, Soft{.multiplier = multiplier.data()}, Soft{.mask = mask.x.data(), .mask_step = mask.step},
          Soft{.multiplier = multiplier.data(), .mask = mask.x.data(), .first_visible_limit = 5, .limit_step = 20},
          Soft{.log = true}}) {
      ASSERT_EQ(bits_of(softmax(kernels(), rows, how)), bits_of(softmax(scalar(), rows, how))) << rows.columns;
      const SoftCodes made = softmax_codes(kernels(), rows, how), expected = softmax_codes(scalar(), rows, how);
      ASSERT_EQ(made.codes, expected.codes) << rows.columns;
      ASSERT_EQ(made.inverse_sum, expected.inverse_sum) << rows.columns;
    }
  });
}

TEST_P(RowsKernel, MapsAsScalar) {
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
TEST_P(RowsKernel, MapsExpAsScalarDensely) {
  constexpr size_t kBlock = 4096;
  Floats x(kBlock);
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += kBlock * 997) {
    for (size_t i = 0; i < kBlock; ++i) x[i] = std::bit_cast<float>(static_cast<uint32_t>(bits + i * 997));
    ASSERT_EQ(bits_of(map(kernels(), x, MapFunction::kExp)), bits_of(map(scalar(), x, MapFunction::kExp))) << bits;
  }
}

TEST_P(RowsKernel, CombinesAsScalar) {
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

TEST_P(RowsKernel, TakesMeansAsScalar) {
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

// FNV-1a, of words.
class Hash {
 public:
  void add(const Floats& numbers) {
    for (const uint32_t bits : bits_of(numbers)) add(bits);
  }
  void add(uint32_t word) { hash_ = (hash_ ^ word) * 1099511628211u; }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 14695981039346656037u;
};

// Hashes of the bits that x86-64 gives.
TEST_P(RowsKernel, GivesTheBitsOfOtherProcessors) {
  Rows rows(Kind::kZeros, 20, 301);
  for (size_t i = 0; i < rows.x.size(); ++i)
    rows.x[i] = static_cast<float>(i * 7919 % 10007) * (i % 3 == 0 ? 0x1p-9f : -0x1.3p-11f);
  const Floats &weight = rows.x, bias(rows.columns, 0.3f), multiplier(rows.rows, 0.7f);
  Hash maps, codes, norms, softmaxes;
  Floats bits;
  for (uint64_t each = 0; each < uint64_t{1} << 32; each += 99991)
    bits.push_back(std::bit_cast<float>(static_cast<uint32_t>(each)));
  for (size_t function = 0; function < kMapFunctions; ++function)
    maps.add(map(kernels(), bits, static_cast<MapFunction>(function), -1.3f, 20));
  for (const bool symmetric : {false, true}) {
    const Quantized made = quantize(kernels(), rows, symmetric);
    for (const uint8_t code : made.codes) codes.add(code);
    codes.add(made.scale);
  }
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
  const Soft how{.multiplier = multiplier.data(), .mask = rows.x.data() + 3};
  softmaxes.add(softmax(kernels(), rows, how));
  for (const uint8_t code : softmax_codes(kernels(), rows, how).codes) softmaxes.add(code);
  EXPECT_EQ(maps.value(), 11140494605136492018u);
  EXPECT_EQ(codes.value(), 7835315527558868543u);
  EXPECT_EQ(norms.value(), 569805971118340559u);
  EXPECT_EQ(softmaxes.value(), 16751797839756481466u);
}

// ---- what they give

// By torch 2.13 and torchao 0.18, of the rows of pytorch_rows(), each code with 128 added, hashed by FNV-1a:
//   scale, zero_point = torch.ops.quantized_decomposed.choose_qparams_per_token_asymmetric(x, torch.int8)
//   codes = torch.ops.quantized_decomposed.quantize_per_token(x, scale, zero_point, -128, 127, torch.int8)
//   scale, zero_point = choose_qparams_affine(x, MappingType.SYMMETRIC, [1, 37], torch.int8, -127, 127, 1e-5)
//   codes = quantize_affine(x, [1, 37], scale, zero_point, torch.int8, -127, 127)
struct PytorchRow {
  float scale;
  int32_t zero_point;
  uint64_t codes;
  float symmetric_scale;
  uint64_t symmetric_codes;
};
constexpr PytorchRow kPytorch[] = {
    {0x1.ebebecp-1f, 130, 0x42ae7b5067de4ef6u, 0x1.f870e2p-1f, 0xbf1aad2952fc039eu},
    {0x1.47f29ep-2f, 129, 0x64e807e0fa2edb59u, 0x1.4df138p-2f, 0x9041231b89fcd47bu},
    {0x1.f7ba4ap-11f, 128, 0x76e4d713b5c5dab3u, 0x1.fd52b8p-11f, 0x1d157ba5cf54e02eu},
    {0x1p-23f, 254, 0x3cc1327eae7584a9u, 0x1.4f8b58p-17f, 0x8c457f7449ae414fu},
    {0x1.82abf8p+99f, 127, 0xdafe84a4fa371670u, 0x1.8595e2p+99f, 0x85348ce933c10980u},
    {0x1p-23f, 255, 0x65df7aefcfad478au, 0x1.4f8b58p-17f, 0x8c457f7449ae414fu},
    {0x1.e08878p-8f, 0, 0xebc47d4c93690f14u, 0x1.e26ccap-7f, 0xc2f06d411efc413du},
    {0x1.df5f6p-10f, 121, 0xd1b3953abc3d955bu, 0x1.f870e2p-10f, 0x186625aad8befb7eu},
    {0x1.410102p+0f, 0, 0xde9701bfebbd83f1u, 0x1.42448ap+1f, 0x9126cde1b5c2af4fu},
    {0x1.129292p+0f, 255, 0xddffff07b8a724a4u, 0x1.13a74ep+1f, 0x87f7bdb0df0b643cu},
    {0x1.03292ap+4f, 125, 0x867cc7e0197553efu, 0x1.08d006p+4f, 0x946d631828e36138u},
    {0x1.4262bep-17f, 128, 0x9f7edb49bb7a202cu, 0x1.4f8b58p-17f, 0x2b5d425403b8fddcu},
    {0x1p-3f, 128, 0x1e5616738610d9aau, 0x1.010204p-3f, 0xfc963a863c1f4780u},
};

Rows pytorch_rows() {
  constexpr float kFactor[] = {1, 1.0f / 3, 1e-3f, 1e-9f, 1e30f, 0, 0.007f, 0x1p-9f, 1, 1, 17.3f, 1e-5f};
  constexpr float kOffset[] = {0, 0, 0, 0, 0, 0, 1, 0, 200, -150, 0, 0};
  Rows rows(Kind::kZeros, 13, 37);
  for (int r = 0; r < 12; ++r) {
    for (int c = 0; c < 37; ++c) {
      const auto number = static_cast<float>((r * 37 + c) * 7919 % 2003 - 1001) / 8;
      rows.x[static_cast<size_t>(r) * rows.step + static_cast<size_t>(c)] = number * kFactor[r] + kOffset[r];
    }
  }
  for (int c = 0; c < 37; ++c) {  // scale 1/8, and half of the numbers in the middle between codes
    const int sixteenths = c == 0 ? -255 : c == 1 ? 255 : c * 97 % 511 - 255;
    rows.x[12 * rows.step + static_cast<size_t>(c)] = static_cast<float>(sixteenths) / 16;
  }
  return rows;
}

TEST_P(RowsKernel, QuantizesAsPytorch) {
  const Rows rows = pytorch_rows();
  const auto hash = [&](const Codes& codes, size_t row) {
    Hash hash;
    for (size_t c = 0; c < rows.columns; ++c) hash.add(codes[row * (rows.columns + 5) + c]);
    return hash.value();
  };
  const Quantized made = quantize(kernels(), rows, false), symmetric = quantize(kernels(), rows, true);
  for (size_t r = 0; r < rows.rows; ++r) {
    EXPECT_EQ(made.scale[r], kPytorch[r].scale) << r;
    EXPECT_EQ(made.zero_point[r], kPytorch[r].zero_point) << r;
    EXPECT_EQ(hash(made.codes, r), kPytorch[r].codes) << r;
    EXPECT_EQ(symmetric.scale[r], kPytorch[r].symmetric_scale) << r;
    EXPECT_EQ(symmetric.zero_point[r], 128) << r;
    EXPECT_EQ(hash(symmetric.codes, r), kPytorch[r].symmetric_codes) << r;
  }
}

// Numbers near the middle between two codes are where float32 and PyTorch's float64 part.
TEST_P(RowsKernel, QuantizesTiesInFloat64) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 200; ++trial) {
    Rows rows(Kind::kUsual, 1, 300, static_cast<uint32_t>(trial));
    rows.x[0] = -7, rows.x[1] = 5;
    const float scale = (5.0f + 7.0f) / 255.0f;
    const double inv_scale = 1.0 / static_cast<double>(scale);
    for (size_t c = 2; c < rows.columns; ++c) {
      const double tie = (static_cast<double>(random() % 240) - 140 + 0.5) * static_cast<double>(scale);
      rows.x[c] = static_cast<float>(tie);
    }
    const Quantized made = quantize(kernels(), rows, false);
    ASSERT_EQ(made.scale[0], scale);
    for (size_t c = 0; c < rows.columns; ++c) {
      const double code = std::nearbyint(static_cast<double>(rows.x[c]) * inv_scale + made.zero_point[0]);
      ASSERT_EQ(made.codes[c], std::clamp(code, 0.0, 255.0)) << rows.x[c];
    }
  }
}

TEST_P(RowsKernel, FillsUpCodesToFour) {
  for (size_t columns = 1; columns <= 9; ++columns) {
    const Rows rows(Kind::kUsual, 2, columns);
    const Quantized made = quantize(kernels(), rows, false);
    const SoftCodes soft = softmax_codes(kernels(), rows, {});
    for (size_t r = 0; r < 2; ++r) {
      for (size_t c = columns; c < columns + 5; ++c) {
        const bool filled = c < (columns + 3) / 4 * 4;
        EXPECT_EQ(made.codes[r * (columns + 5) + c], filled ? made.zero_point[r] : kUntouchedCode) << columns;
        EXPECT_EQ(soft.codes[r * (columns + 5) + c], filled ? 0 : kUntouchedCode) << columns;
      }
    }
  }
}

TEST_P(RowsKernel, QuantizesNansToTheLowestCode) {
  Rows rows(Kind::kUsual, 1, 20);
  rows.x[0] = -6, rows.x[1] = 4;
  const Quantized without = quantize(kernels(), rows, false);
  rows.x[3] = kNan;
  EXPECT_EQ(quantize(kernels(), rows, false).codes[3], 0);
  EXPECT_EQ(quantize(kernels(), rows, false).scale, without.scale);
  EXPECT_EQ(quantize(kernels(), rows, true).codes[3], 1);
  rows.x[4] = kInfinity;
  EXPECT_EQ(quantize(kernels(), rows, false).scale[0], kInfinity);
}

TEST_P(RowsKernel, Normalizes) {
  for (const size_t columns : {1, 7, 64, 100, 384}) {
    const Rows rows(Kind::kUsual, 3, columns);
    const Floats residual = Rows(Kind::kUsual, 3, columns, 2).x, weight = Rows(Kind::kUsual, 1, columns, 3).x,
                 bias = Rows(Kind::kUsual, 1, columns, 4).x;
    for (int how = 0; how < 16; ++how) {
      const Norm norm{.residual = how % 2 == 1, .weight = how / 2 % 2 == 1, .bias = how / 4 % 2 == 1, .rms = how > 7};
      const Floats y = normalize(kernels(), rows, norm);
      for (size_t r = 0; r < 3; ++r) {
        std::vector<double> t;
        double mean = 0, square = 0;
        for (size_t c = 0; c < columns; ++c) {
          const size_t at = r * rows.step + c;
          t.push_back(norm.residual ? rows.x[at] + residual[at] : rows.x[at]);
          mean += t.back() / static_cast<double>(columns);
        }
        if (norm.rms) mean = 0;
        for (const double each : t) square += (each - mean) * (each - mean) / static_cast<double>(columns);
        for (size_t c = 0; c < columns; ++c) {
          double expected = (t[c] - mean) / std::sqrt(square + static_cast<double>(1e-5f));
          if (norm.weight) expected *= weight[c];
          if (norm.bias) expected += bias[c];
          // A few roundings of numbers up to 20 times the weights' 6; one column has variance 0, and y = bias.
          ASSERT_NEAR(y[r * rows.step + c], expected, 3e-5) << columns << " columns, " << how;
        }
        EXPECT_EQ(y[r * rows.step + columns], kUntouched);
      }
      Floats in_place = normalize(kernels(), rows, norm, /*in_place=*/true);
      for (size_t r = 0; r < 3; ++r)
        for (size_t c = 0; c < columns; ++c) ASSERT_EQ(in_place[r * rows.step + c], y[r * rows.step + c]);
    }
  }
}

TEST_P(RowsKernel, SoftmaxSumsUpToOne) {
  for (const size_t columns : {1, 5, 37, 128, 600}) {
    const Rows rows(Kind::kUsual, 3, columns), mask(Kind::kUsual, 3, columns, 5);
    const Floats multiplier = {0.5f, 3, -1};
    for (const size_t mask_step : {size_t{0}, mask.step}) {
      const Soft how{.multiplier = multiplier.data(), .mask = mask.x.data(), .mask_step = mask_step};
      const Floats y = softmax(kernels(), rows, how), in_place = softmax(kernels(), rows, how, /*in_place=*/true),
                   logs =
                       softmax(kernels(), rows,
                               {.multiplier = how.multiplier, .mask = how.mask, .mask_step = mask_step, .log = true});
      const SoftCodes made = softmax_codes(kernels(), rows, how);
      for (size_t r = 0; r < 3; ++r) {
        std::vector<double> s;
        double sum = 0, most = -1e9;
        for (size_t c = 0; c < columns; ++c) {
          s.push_back(std::fma(rows.x[r * rows.step + c], multiplier[r], mask.x[r * mask_step + c]));
          most = std::max(most, s.back());
        }
        for (const double each : s) sum += std::exp(each - most);
        double codes = 0;
        for (size_t c = 0; c < columns; ++c) {
          const double p = std::exp(s[c] - most), expected = p / sum;
          const size_t at = r * rows.step + c;
          // s - max s, up to 40, is rounded: 40 * 2^-24 of p; e^x, the sum and the product add four halves of an ulp.
          ASSERT_NEAR(y[at], expected, expected * 3e-6) << columns;
          ASSERT_NEAR(logs[at], std::log(expected), 1e-5) << columns;
          ASSERT_EQ(in_place[at], y[at]);
          const uint8_t code = made.codes[r * (columns + 5) + c];
          ASSERT_NEAR(code, 255 * p, 0.5 + 1e-3);
          codes += code;
        }
        EXPECT_EQ(y[r * rows.step + columns], kUntouched);
        EXPECT_EQ(made.inverse_sum[r], 1 / static_cast<float>(codes)) << "an exact sum";
      }
    }
  }
}

TEST_P(RowsKernel, SoftmaxSeesColumnsUpToALimit) {
  const Rows rows(Kind::kUsual, 5, 40);
  const Soft causal{.first_visible_limit = 0, .limit_step = 17};
  const Floats y = softmax(kernels(), rows, causal);
  const Floats logs = softmax(kernels(), rows, {.first_visible_limit = 0, .limit_step = 17, .log = true});
  const SoftCodes made = softmax_codes(kernels(), rows, causal);
  for (size_t r = 0; r < 5; ++r) {
    const size_t visible = std::min<size_t>(r * 17, 40);
    Rows alone(Kind::kUsual, 1, visible);
    std::copy_n(&rows.x[r * rows.step], visible, alone.x.begin());
    const Floats expected = softmax(kernels(), alone, {});
    const SoftCodes codes = softmax_codes(kernels(), alone, {});
    for (size_t c = 0; c < 40; ++c) {
      EXPECT_EQ(y[r * rows.step + c], c < visible ? expected[c] : 0) << r;
      EXPECT_EQ(made.codes[r * 45 + c], c < visible ? codes.codes[c] : 0) << r;
      EXPECT_EQ(logs[r * rows.step + c] == -kInfinity, c >= visible) << r;
    }
    EXPECT_EQ(made.inverse_sum[r], codes.inverse_sum[0]) << r;
  }
}

TEST_P(RowsKernel, SoftmaxOfNothingIsZeros) {
  Rows rows(Kind::kUsual, 1, 21);
  const Floats mask(21, -kInfinity);
  const Soft hidden{.mask = mask.data()};
  EXPECT_EQ(softmax(kernels(), rows, hidden), softmax(kernels(), rows, {.first_visible_limit = 0}));
  EXPECT_EQ(softmax(kernels(), rows, hidden)[20], 0);
  EXPECT_EQ(softmax_codes(kernels(), rows, hidden).codes[20], 0);
  EXPECT_EQ(softmax_codes(kernels(), rows, hidden).inverse_sum[0], 0);
  rows.x[7] = kNan;
  EXPECT_TRUE(std::isnan(softmax(kernels(), rows, {})[0])) << "as in PyTorch, one NaN makes all of them";
  rows.x[7] = kInfinity;
  EXPECT_TRUE(std::isnan(softmax(kernels(), rows, {})[0]));
}

TEST_P(RowsKernel, TakesMeans) {
  const Rows rows(Kind::kUsual, 3, 1003);
  Floats y(3);
  kernels().mean({.rows = 3, .columns = 1003, .x = rows.x.data(), .x_step = rows.step, .y = y.data()});
  for (size_t r = 0; r < 3; ++r) {
    double sum = 0;
    for (size_t c = 0; c < 1003; ++c) sum += rows.x[r * rows.step + c];
    EXPECT_NEAR(y[r], sum / 1003, 1e-6);
  }
}

TEST_P(RowsKernel, WritesNothingBehindTheLastNumber) {
  for (size_t count = 1; count <= 40; ++count) {
    const Floats y = map(kernels(), Floats(count, 2), MapFunction::kMultiply, 3);
    for (size_t i = 0; i < count + 3; ++i) EXPECT_EQ(y[i], i < count ? 6 : kUntouched) << count;
  }
}

std::vector<RowsKernels> all_kernels() {
  std::vector<RowsKernels> all;
#define TORQUANT_ROWS_KERNELS(suffix, isa) all.push_back(select_rows_kernels(CpuIsa::isa));
#include "torquant/kernels/rows/kernels.inc"
#undef TORQUANT_ROWS_KERNELS
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, RowsKernel, testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param.name); });

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
