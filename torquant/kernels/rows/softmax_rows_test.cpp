#include "torquant/kernels/rows/softmax_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/float_rows.h"

namespace torquant {
namespace {

class SoftmaxRows : public RowsKernel {};
TORQUANT_TEST_ROWS(SoftmaxRows);

TEST_P(SoftmaxRows, SumsUpToOne) {
  for (const size_t columns : {1, 5, 37, 128, 600}) {
    const Rows rows(Kind::kUsual, 3, columns);
    const Floats y = softmax(kernels(), rows), in_place = softmax(kernels(), rows, false, /*in_place=*/true);
    const Floats logs = softmax(kernels(), rows, /*log=*/true);
    for (size_t r = 0; r < 3; ++r) {
      const float* x = &rows.x[r * rows.step];
      const double most = static_cast<double>(*std::max_element(x, x + columns));
      double sum = 0;
      for (size_t c = 0; c < columns; ++c) sum += std::exp(static_cast<double>(x[c]) - most);
      for (size_t c = 0; c < columns; ++c) {
        const double expected = std::exp(static_cast<double>(x[c]) - most) / sum;
        const size_t at = r * rows.step + c;
        // x - max x, up to 40, is rounded: 40 * 2^-24 of p; e^x, the sum and the product add four halves of an ulp.
        ASSERT_NEAR(y[at], expected, expected * 3e-6) << columns;
        ASSERT_NEAR(logs[at], std::log(expected), 1e-5) << columns;
        ASSERT_EQ(in_place[at], y[at]);
      }
      EXPECT_EQ(y[r * rows.step + columns], kUntouched);
    }
  }
}

TEST_P(SoftmaxRows, OfNothingIsZeros) {
  Rows rows(Kind::kUsual, 1, 21);
  for (size_t c = 0; c < 21; ++c) rows.x[c] = -kInfinity;
  const Floats y = softmax(kernels(), rows);
  EXPECT_TRUE(std::all_of(y.begin(), y.begin() + 21, [](float p) { return p == 0; }));
  rows.x[3] = 2;
  EXPECT_EQ(softmax(kernels(), rows)[3], 1);
  rows.x[7] = kNan;
  EXPECT_TRUE(std::isnan(softmax(kernels(), rows)[0])) << "as in PyTorch, one NaN makes all of them";
  rows.x[7] = kInfinity;
  EXPECT_TRUE(std::isnan(softmax(kernels(), rows)[0]));
}

}  // namespace
}  // namespace torquant
