#include "torquant/kernels/rows/normalize_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/float_rows.h"

namespace torquant {
namespace {

class NormalizeRows : public RowsKernel {};
TORQUANT_TEST_ROWS(NormalizeRows);

TEST_P(NormalizeRows, Normalizes) {
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

}  // namespace
}  // namespace torquant
