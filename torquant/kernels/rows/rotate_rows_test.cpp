#include "torquant/kernels/rows/rotate_rows.h"

#include <gtest/gtest.h>

#include "tests/support/float_rows.h"

namespace torquant {
namespace {

class RotateRows : public RowsKernel {};
TORQUANT_TEST_ROWS(RotateRows);

TEST_P(RotateRows, RotatesPairsOfEachHead) {
  for (const size_t size : {2, 6, 30, 32, 34, 64, 128}) {
    const size_t heads = 3, columns = heads * size, step = columns + 5;
    const Rows x(Kind::kUsual, 4, columns);
    const Floats cos = numbers(Kind::kUsual, 4 * size, 2), sin = numbers(Kind::kUsual, 4 * size, 3);
    Floats y(4 * step, kUntouched);
    kernels().rotate({.rows = 4,
                      .heads = heads,
                      .size = size,
                      .x = x.x.data(),
                      .x_step = x.step,
                      .cos = cos.data(),
                      .sin = sin.data(),
                      .y = y.data(),
                      .y_step = step});
    for (size_t row = 0; row < 4; ++row) {
      for (size_t c = 0; c < columns; ++c) {
        const size_t at = c % size, other = at < size / 2 ? c + size / 2 : c - size / 2;
        const float turned = at < size / 2 ? -x.x[row * x.step + other] : x.x[row * x.step + other];
        // As PyTorch: two products, then the sum, each rounded.
        volatile float first = x.x[row * x.step + c] * cos[row * size + at];
        volatile float second = turned * sin[row * size + at];
        ASSERT_EQ(y[row * step + c], first + second) << size << ", row " << row << ", column " << c;
      }
      EXPECT_EQ(y[row * step + columns], kUntouched);
    }
  }
}

TEST_P(RotateRows, GivesTheBitsOfTheScalarKernels) {
  for (const Kind kind : kKinds) {
    const Rows x(kind, 3, 2 * 70);
    const Floats cos = numbers(kind, 3 * 70, 5), sin = numbers(kind, 3 * 70, 6);
    const auto rotate = [&](const RowsKernels& by) {
      Floats y(3 * 140);
      by.rotate({.rows = 3,
                 .heads = 2,
                 .size = 70,
                 .x = x.x.data(),
                 .x_step = x.step,
                 .cos = cos.data(),
                 .sin = sin.data(),
                 .y = y.data(),
                 .y_step = 140});
      return bits_of(y);
    };
    EXPECT_EQ(rotate(kernels()), rotate(select_rows_kernels(CpuIsa::kScalar)));
  }
}

}  // namespace
}  // namespace torquant
