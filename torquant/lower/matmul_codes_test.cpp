#include "torquant/lower/matmul_codes.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_qdq.h"

namespace torquant {
namespace {

at::Tensor random_codes(const std::vector<int64_t>& sizes) { return at::randint(0, 256, sizes).to(at::kByte); }

// Sums of products of the codes minus their zero points, in integers of 64 bits.
at::Tensor exact_sums(const at::Tensor& a, const at::Tensor& b) {
  return at::matmul(a.to(at::kLong) - kImage.zero_point, b.to(at::kLong) - kHidden.zero_point);
}

void expect_exact(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor sums = exact_sums(a, b);
  const at::Tensor numbers = matmul_codes(a, kImage, b, kHidden, std::nullopt);
  EXPECT_EQ(numbers.scalar_type(), at::kFloat);
  // Scales of 1 / 4 and 1 / 2 are exact, and so are sums below 2^24.
  const Grid quarter = {.scale = 0.25, .zero_point = kImage.zero_point, .min = 0, .max = 255, .dtype = at::kByte};
  const Grid half = {.scale = 0.5, .zero_point = kHidden.zero_point, .min = 0, .max = 255, .dtype = at::kByte};
  EXPECT_TRUE(at::equal(matmul_codes(a, quarter, b, half, std::nullopt), sums.to(at::kFloat) / 8));
  EXPECT_TRUE(at::allclose(numbers, sums.to(at::kDouble).mul(0.02 * 0.05).to(at::kFloat)));
  // Steps of 2^10 sums: codes of 60 and what is next to it, in [0, 127].
  const Grid coarse = {.scale = 128, .zero_point = 60, .min = 0, .max = 127, .dtype = at::kByte};
  const at::Tensor codes = sums.to(at::kDouble).div(1024).round().add(60).clamp(0, 127).to(at::kByte);
  EXPECT_TRUE(at::equal(matmul_codes(a, quarter, b, half, coarse), codes));
}

TEST(MatmulCodes, IsExact) {
  expect_exact(random_codes({5, 37}), random_codes({37, 11}));
  expect_exact(random_codes({1, 1}), random_codes({1, 1}));
  expect_exact(random_codes({2, 3, 16, 64}), random_codes({2, 3, 64, 16}));
  expect_exact(random_codes({3, 1, 7, 5}), random_codes({2, 5, 4}));
}

TEST(MatmulCodes, OfTransposedOperands) {
  expect_exact(random_codes({2, 9, 3, 8}).transpose(1, 2), random_codes({2, 9, 3, 8}).permute({0, 2, 3, 1}));
  expect_exact(random_codes({20, 6}).t(), random_codes({5, 20}).t());
}

TEST(MatmulCodes, OfTheLargestSums) {
  const at::Tensor a = random_codes({2, kLargestInnerSize}).fill_(255), b = a.t();
  const Grid byte = {.scale = 1, .zero_point = 0, .min = 0, .max = 255, .dtype = at::kByte};
  const at::Tensor sums = matmul_codes(a, byte, b, byte, std::nullopt);
  EXPECT_EQ(sums[0][0].item<float>(), static_cast<float>(255 * 255 * kLargestInnerSize));
}

TEST(MatmulCodes, OfNothing) {
  expect_exact(random_codes({2, 0}), random_codes({0, 3}));
  EXPECT_EQ(matmul_codes(random_codes({0, 4}), kImage, random_codes({4, 3}), kImage, kHalf).sizes(),
            (std::vector<int64_t>{0, 3}));
}

TEST(MatmulCodes, Refuses) {
  const at::Tensor codes = random_codes({4, 4});
  const auto text = [&](const at::Tensor& a, const at::Tensor& b, const Grid& grid = kImage) {
    return error_text([&] { matmul_codes(a, kImage, b, grid, std::nullopt); });
  };
  EXPECT_NE(text(codes, codes.to(at::kChar)).find("b is Char"), std::string::npos);
  EXPECT_NE(text(codes, codes.slice(0, 1)).find("a has sizes [4, 4], b [3, 4]"), std::string::npos);
  EXPECT_NE(text(codes[0], codes).find("a has sizes [4]"), std::string::npos);
  const at::Tensor wide = random_codes({1, kLargestInnerSize + 1});
  EXPECT_NE(text(wide, wide.t()).find("K up to 33025"), std::string::npos);
  const Grid far = {.scale = 1, .zero_point = 300, .min = 0, .max = 255, .dtype = at::kByte};
  EXPECT_NE(text(codes, codes, far).find("a zero point is 300"), std::string::npos);
}

}  // namespace
}  // namespace torquant
