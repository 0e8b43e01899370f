#include "torquant/lower/integer_ops.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/broadcast_tensors.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/error_text.h"
#include "tests/support/test_qdq.h"

namespace torquant {
namespace {

at::Tensor random_codes(const std::vector<int64_t>& sizes) { return at::randint(0, 256, sizes).to(at::kByte); }

// As docs/semantics.md has it, code by code: Q14 of each operand, Q10 of the result.
at::Tensor by_the_formula(const at::Tensor& a, const Grid& a_grid, const at::Tensor& b, const Grid& b_grid,
                          const Grid& out, bool multiply) {
  const std::vector<at::Tensor> pair = at::broadcast_tensors({a, b});
  const at::Tensor left = pair[0].contiguous(), right = pair[1].contiguous();
  at::Tensor result = at::empty_like(left);
  for (int64_t i = 0; i < left.numel(); ++i) {
    const float x =
        static_cast<float>(left.const_data_ptr<uint8_t>()[i] - a_grid.zero_point) * static_cast<float>(a_grid.scale);
    const float y =
        static_cast<float>(right.const_data_ptr<uint8_t>()[i] - b_grid.zero_point) * static_cast<float>(b_grid.scale);
    const float steps = (multiply ? x * y : x + y) * static_cast<float>(1.0 / out.scale);
    const auto code = static_cast<int64_t>(std::nearbyint(steps)) + out.zero_point;
    result.mutable_data_ptr<uint8_t>()[i] = static_cast<uint8_t>(std::clamp(code, out.min, out.max));
  }
  return result;
}

void expect_by_the_formula(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_TRUE(at::equal(add_codes(a, kImage, b, kHidden, kHalf), by_the_formula(a, kImage, b, kHidden, kHalf, false)));
  EXPECT_TRUE(at::equal(mul_codes(a, kImage, b, kHidden, kHalf), by_the_formula(a, kImage, b, kHidden, kHalf, true)));
}

TEST(IntegerOps, OfEveryPairOfCodes) {
  const at::Tensor codes = at::arange(256).to(at::kByte);
  expect_by_the_formula(codes.reshape({256, 1}), codes);
}

TEST(IntegerOps, OfEveryLayout) {
  const at::Tensor a = random_codes({3, 20, 40, 30});
  const at::Tensor last = a.contiguous(at::MemoryFormat::ChannelsLast);
  for (const at::Tensor& x : {a, last, a.slice(3, 0, 20), a.transpose(2, 3), last.slice(1, 3, 8)}) {
    expect_by_the_formula(x, random_codes(x.sizes().vec()));
    expect_by_the_formula(x, random_codes({3, x.size(1), 1, 1}));
    expect_by_the_formula(random_codes({x.size(3)}), x);
    expect_by_the_formula(x, random_codes({}));
  }
  EXPECT_TRUE(add_codes(last, kImage, a, kHidden, kHalf).is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(IntegerOps, TablesOfEveryLayout) {
  const at::Tensor x = random_codes({2, 20, 30, 8}), table = random_codes({256});
  for (const at::Tensor& codes :
       {x, x.contiguous(at::MemoryFormat::ChannelsLast), x.slice(3, 1, 8, 2), x[0][0][0][0]}) {
    EXPECT_TRUE(at::equal(map_codes(codes, table),
                          table.index_select(0, codes.reshape({-1}).to(at::kLong)).reshape(codes.sizes())));
  }
}

TEST(IntegerOps, Refuse) {
  const at::Tensor codes = at::randint(0, 256, {1, 2, 3, 4}).to(at::kByte);
  const auto add_text = [&](const at::Tensor& a, const at::Tensor& b) {
    return error_text([&] { add_codes(a, kImage, b, kImage, kImage); });
  };
  EXPECT_NE(add_text(codes.to(at::kChar), codes).find("a is Char"), std::string::npos);
  EXPECT_NE(add_text(codes, codes.slice(3, 1)).find("a has sizes [1, 2, 3, 4], b [1, 2, 3, 3]"), std::string::npos);
  EXPECT_NE(error_text([&] { map_codes(codes, codes); }).find("table has sizes [1, 2, 3, 4]"), std::string::npos);
  const auto pool_text = [&](const at::Tensor& x, const Windows& windows) {
    return error_text([&] { avg_pool2d_codes(x, kImage, windows, kImage); });
  };
  EXPECT_NE(pool_text(codes[0], {}).find("x has rank 3"), std::string::npos);
  EXPECT_NE(pool_text(codes, {{2, 2}, {0, 1}, {}}).find("stride [0, 1]"), std::string::npos);
  EXPECT_NE(pool_text(codes, {{2}, {}, {}}).find("kernel [2]"), std::string::npos);
  EXPECT_NE(pool_text(codes, {{2, 2}, {}, {0, -1}}).find("padding [0, -1]"), std::string::npos);
  EXPECT_NE(pool_text(codes, {{4, 4}, {}, {}}).find("a window of 4 x 4 in an image of 3 x 4"), std::string::npos);
}

}  // namespace
}  // namespace torquant
