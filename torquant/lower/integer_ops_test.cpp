#include "torquant/lower/integer_ops.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_qdq.h"

namespace torquant {
namespace {

TEST(IntegerOps, LayoutsAndThreads) {
  const at::Tensor a = at::randint(0, 256, {3, 20, 40, 30}).to(at::kByte);
  const at::Tensor b = at::randint(0, 256, {3, 20, 40, 30}).to(at::kByte);
  const at::Tensor sum = add_codes(a, kImage, b, kHidden, kHalf);
  const at::Tensor last = a.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(at::equal(add_codes(last, kImage, b, kHidden, kHalf), sum));
  const at::Tensor part = add_codes(a.slice(3, 0, 20), kImage, b.slice(3, 0, 20), kHidden, kHalf);
  EXPECT_TRUE(at::equal(part, sum.slice(3, 0, 20)));
}

TEST(IntegerOps, Refuse) {
  const at::Tensor codes = at::randint(0, 256, {1, 2, 3, 4}).to(at::kByte);
  const auto add_text = [&](const at::Tensor& a, const at::Tensor& b) {
    return error_text([&] { add_codes(a, kImage, b, kImage, kImage); });
  };
  EXPECT_NE(add_text(codes.to(at::kChar), codes).find("a is Char"), std::string::npos);
  EXPECT_NE(add_text(codes, codes.slice(3, 1)).find("different sizes"), std::string::npos);
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
