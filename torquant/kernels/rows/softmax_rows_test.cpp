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

TEST_P(SoftmaxRows, SeesColumnsUpToALimit) {
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

TEST_P(SoftmaxRows, OfNothingIsZeros) {
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

TEST_P(SoftmaxRows, FillsUpCodesToFour) {
  for (size_t columns = 1; columns <= 9; ++columns) {
    const Rows rows(Kind::kUsual, 2, columns);
    const SoftCodes soft = softmax_codes(kernels(), rows, {});
    for (size_t r = 0; r < 2; ++r) {
      for (size_t c = columns; c < columns + 5; ++c) {
        const bool filled = c < (columns + 3) / 4 * 4;
        EXPECT_EQ(soft.codes[r * (columns + 5) + c], filled ? 0 : kUntouchedCode) << columns;
      }
    }
  }
}

}  // namespace
}  // namespace torquant
