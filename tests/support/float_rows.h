#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "torquant/kernels/rows/rows.h"

// Rows of floats, and calls of the kernels of kernels/rows with them.
namespace torquant {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kUntouched = 12345;
inline constexpr uint8_t kUntouchedCode = 77;

using Floats = std::vector<float>;
using Codes = std::vector<uint8_t>;

// Bits, but for NaNs, which are all one.
inline std::vector<uint32_t> bits_of(const Floats& numbers) {
  std::vector<uint32_t> bits;
  for (const float x : numbers) bits.push_back(std::isnan(x) ? 0x7fc00000 : std::bit_cast<uint32_t>(x));
  return bits;
}

// What rows may hold: of all sizes, and what is at the borders of float32.
enum class Kind { kUsual, kHuge, kSmall, kEqual, kZeros, kMixed, kNans };
inline constexpr Kind kKinds[] = {Kind::kUsual, Kind::kHuge,  Kind::kSmall, Kind::kEqual,
                                  Kind::kZeros, Kind::kMixed, Kind::kNans};

inline Floats numbers(Kind kind, size_t count, uint32_t seed) {
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

inline Quantized quantize(const RowsKernels& kernels, const Rows& of) {
  const size_t step = of.columns + 5;
  Quantized made{Codes(of.rows * step, kUntouchedCode), Floats(of.rows), std::vector<int32_t>(of.rows)};
  kernels.quantize({.rows = of.rows,
                    .columns = of.columns,
                    .x = of.x.data(),
                    .x_step = of.step,
                    .codes = made.codes.data(),
                    .codes_step = step,
                    .scale = made.scale.data(),
                    .zero_point = made.zero_point.data()});
  return made;
}

struct Norm {
  bool residual = false, weight = false, bias = false, rms = false;
};

inline Floats normalize(const RowsKernels& kernels, const Rows& of, const Norm& how, bool in_place = false) {
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

inline Floats softmax(const RowsKernels& kernels, const Rows& of, bool log = false, bool in_place = false) {
  Floats y = in_place ? of.x : Floats(of.x.size(), kUntouched);
  kernels.softmax({.rows = of.rows,
                   .columns = of.columns,
                   .x = in_place ? y.data() : of.x.data(),
                   .x_step = of.step,
                   .y = y.data(),
                   .y_step = of.step,
                   .log = log});
  return y;
}

inline Floats map(const RowsKernels& kernels, const Floats& x, MapFunction function, float a = 0, float b = 0) {
  Floats y(x.size() + 3, kUntouched);
  kernels.map({.count = x.size(), .x = x.data(), .y = y.data(), .function = function, .a = a, .b = b});
  return y;
}

// A test of every line of kernels.inc that this CPU runs.
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

inline std::vector<RowsKernels> all_kernels() {
  std::vector<RowsKernels> all;
#define TORQUANT_ROWS_KERNELS(suffix, isa) all.push_back(select_rows_kernels(CpuIsa::isa));
#include "torquant/kernels/rows/kernels.inc"
#undef TORQUANT_ROWS_KERNELS
  return all;
}

// One of these tests for each kernel.
#define TORQUANT_TEST_ROWS(Suite)                                        \
  INSTANTIATE_TEST_SUITE_P(All, Suite, testing::ValuesIn(all_kernels()), \
                           [](const auto& info) { return std::string(info.param.name); })

}  // namespace torquant
