#include "torquant/core/sinq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "torquant/core/float_formats.h"

namespace torquant {
namespace {

TEST(Sinq, CodesTimesBothScalesGiveTheWeightBack) {  // Q26
  const int64_t rows = 8;
  const int64_t cols = 16;
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> weight(rows * cols);
  for (int64_t i = 0; i < rows * cols; ++i) {
    const float column = i % cols == 3 ? 8.0f : 1.0f;  // a column of outliers, which one scale a row could not hold
    weight[i] = round_to(normal(random) * column, DType::kFloat16);
  }
  std::vector<int8_t> codes(weight.size());
  std::vector<float> row_scale(rows);
  std::vector<float> col_scale(cols);
  sinq_quantize({.rows = rows, .cols = cols}, weight, codes, row_scale, col_scale);
  EXPECT_GT(col_scale[3], 3 * col_scale[4]);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      const float step = row_scale[r] * col_scale[c];
      // Half a step, and float16's error over 20 divisions of the weight and products of the scales: 60 * 2^-11.
      EXPECT_NEAR(codes[r * cols + c] * step, weight[r * cols + c], 0.5f * step + 60 * 0x1p-11f * 8 * step) << r << c;
      EXPECT_GE(codes[r * cols + c], -8);
      EXPECT_LE(codes[r * cols + c], 7);
    }
  }
}

}  // namespace
}  // namespace torquant
