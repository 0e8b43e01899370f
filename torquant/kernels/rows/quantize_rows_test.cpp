#include "torquant/kernels/rows/quantize_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/support/float_rows.h"

namespace torquant {
namespace {

class QuantizeRows : public RowsKernel {};
TORQUANT_TEST_ROWS(QuantizeRows);

// By torch 2.13, of the rows of pytorch_rows(), each code with 128 added, hashed by FNV-1a:
//   scale, zero_point = torch.ops.quantized_decomposed.choose_qparams_per_token_asymmetric(x, torch.int8)
//   codes = torch.ops.quantized_decomposed.quantize_per_token(x, scale, zero_point, -128, 127, torch.int8)
struct PytorchRow {
  float scale;
  int32_t zero_point;
  uint64_t codes;
};
constexpr PytorchRow kPytorch[] = {
    {0x1.ebebecp-1f, 130, 0x42ae7b5067de4ef6u},  {0x1.47f29ep-2f, 129, 0x64e807e0fa2edb59u},
    {0x1.f7ba4ap-11f, 128, 0x76e4d713b5c5dab3u}, {0x1p-23f, 254, 0x3cc1327eae7584a9u},
    {0x1.82abf8p+99f, 127, 0xdafe84a4fa371670u}, {0x1p-23f, 255, 0x65df7aefcfad478au},
    {0x1.e08878p-8f, 0, 0xebc47d4c93690f14u},    {0x1.df5f6p-10f, 121, 0xd1b3953abc3d955bu},
    {0x1.410102p+0f, 0, 0xde9701bfebbd83f1u},    {0x1.129292p+0f, 255, 0xddffff07b8a724a4u},
    {0x1.03292ap+4f, 125, 0x867cc7e0197553efu},  {0x1.4262bep-17f, 128, 0x9f7edb49bb7a202cu},
    {0x1p-3f, 128, 0x1e5616738610d9aau},
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

TEST_P(QuantizeRows, QuantizesAsPytorch) {
  const Rows rows = pytorch_rows();
  const auto hash = [&](const Codes& codes, size_t row) {
    Hash hash;
    for (size_t c = 0; c < rows.columns; ++c) hash.add(codes[row * (rows.columns + 5) + c]);
    return hash.value();
  };
  const Quantized made = quantize(kernels(), rows);
  for (size_t r = 0; r < rows.rows; ++r) {
    EXPECT_EQ(made.scale[r], kPytorch[r].scale) << r;
    EXPECT_EQ(made.zero_point[r], kPytorch[r].zero_point) << r;
    EXPECT_EQ(hash(made.codes, r), kPytorch[r].codes) << r;
  }
}

// Numbers near the middle between two codes are where float32 and PyTorch's float64 part.
TEST_P(QuantizeRows, QuantizesTiesInFloat64) {
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
    const Quantized made = quantize(kernels(), rows);
    ASSERT_EQ(made.scale[0], scale);
    for (size_t c = 0; c < rows.columns; ++c) {
      const double code = std::nearbyint(static_cast<double>(rows.x[c]) * inv_scale + made.zero_point[0]);
      ASSERT_EQ(made.codes[c], std::clamp(code, 0.0, 255.0)) << rows.x[c];
    }
  }
}

TEST_P(QuantizeRows, FillsUpCodesToFour) {
  for (size_t columns = 1; columns <= 9; ++columns) {
    const Rows rows(Kind::kUsual, 2, columns);
    const Quantized made = quantize(kernels(), rows);
    for (size_t r = 0; r < 2; ++r) {
      for (size_t c = columns; c < columns + 5; ++c) {
        const bool filled = c < (columns + 3) / 4 * 4;
        EXPECT_EQ(made.codes[r * (columns + 5) + c], filled ? made.zero_point[r] : kUntouchedCode) << columns;
      }
    }
  }
}

TEST_P(QuantizeRows, QuantizesNansToTheLowestCode) {
  Rows rows(Kind::kUsual, 1, 20);
  rows.x[0] = -6, rows.x[1] = 4;
  const Quantized without = quantize(kernels(), rows);
  rows.x[3] = kNan;
  EXPECT_EQ(quantize(kernels(), rows).codes[3], 0);
  EXPECT_EQ(quantize(kernels(), rows).scale, without.scale);
  rows.x[4] = kInfinity;
  EXPECT_EQ(quantize(kernels(), rows).scale[0], kInfinity);
}

}  // namespace
}  // namespace torquant
