#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/float_steps.h"

// Attention in float, run as a model of one node, against float64.
namespace torquant::runtime {
namespace {

using namespace format;

struct Case {
  size_t queries, keys, heads, key_heads, size;
  bool mask = false, causal = false;
};

constexpr float kScale = 0.1f;

class FloatAttention : public FloatSteps {
 protected:
  // Numbers are up to 4, so a score's error is at most (size + 1) u · 16 size · kScale, u = 2^-24, a weight's twice
  // that and some ulp of itself, and what comes out, at most 4, errs by 4 times that and the products' keys · u.
  void expect_close(const Case& c) {
    const auto of = [](size_t tokens, size_t row) {
      return Sizes{1, static_cast<int64_t>(tokens), static_cast<int64_t>(row)};
    };
    Attention node{.query = {0, 3}, .key = {1, 1}, .value = {2, 0}, .output = c.mask ? 4u : 3u};
    node.heads = static_cast<uint32_t>(c.heads), node.key_heads = static_cast<uint32_t>(c.key_heads);
    node.head_size = static_cast<uint32_t>(c.size);
    node.scale = kScale, node.causal = c.causal, node.in_float = true;
    std::vector<Sizes> sizes = {of(c.queries, c.heads * c.size + 5), of(c.keys, c.key_heads * c.size + 2),
                                of(c.keys, c.key_heads * c.size)};
    if (c.mask) {
      node.mask = 3;
      sizes.push_back({1, 1, static_cast<int64_t>(c.queries), static_cast<int64_t>(c.keys)});
    }
    sizes.push_back(of(c.queries, c.heads * c.size));
    build(sizes, node);
    const double u = 0x1p-24, keys = static_cast<double>(c.keys), size = static_cast<double>(c.size);
    const double bound = 4 * (2 * (size + 1) * u * 16 * size * double{kScale} + (keys + 8) * u);
    for (const size_t batch : {1, 3}) {
      const std::vector<Floats> inputs = random_inputs(batch);
      const Floats made = run(inputs, batch, 1)[0];
      for (size_t threads = 2; threads <= 4; ++threads) EXPECT_EQ(run(inputs, batch, threads)[0], made);
      const std::vector<double> expected = reference(c, inputs, batch);
      ASSERT_EQ(made.size(), expected.size());
      for (size_t i = 0; i < made.size(); ++i) ASSERT_NEAR(double{made[i]}, expected[i], bound) << i;
    }
  }

  static std::vector<double> reference(const Case& c, const std::vector<Floats>& x, size_t batch) {
    std::vector<double> out(batch * c.queries * c.heads * c.size);
    const size_t q_row = c.heads * c.size + 5, k_row = c.key_heads * c.size + 2, v_row = c.key_heads * c.size;
    for (size_t b = 0; b < batch; ++b) {
      for (size_t h = 0; h < c.heads; ++h) {
        const size_t shared = h / (c.heads / c.key_heads) * c.size;
        for (size_t i = 0; i < c.queries; ++i) {
          double sum = 0;
          double* y = out.data() + (b * c.queries + i) * c.heads * c.size + h * c.size;
          for (size_t j = 0; j < c.keys && (!c.causal || j <= i); ++j) {
            double score = c.mask ? double{x[3][(b * c.queries + i) * c.keys + j]} : 0;
            for (size_t d = 0; d < c.size; ++d)
              score += double{x[0][(b * c.queries + i) * q_row + 3 + h * c.size + d]} *
                       double{x[1][(b * c.keys + j) * k_row + 1 + shared + d]} * double{kScale};
            sum += std::exp(score);
            for (size_t d = 0; d < c.size; ++d)
              y[d] += std::exp(score) * double{x[2][(b * c.keys + j) * v_row + shared + d]};
          }
          for (size_t d = 0; d < c.size; ++d) y[d] /= sum;
        }
      }
    }
    return out;
  }
};

TEST_F(FloatAttention, IsSoftmaxOfScoresTimesValues) {
  for (const size_t tokens : {1, 5, 16, 37, 80}) expect_close({tokens, tokens, 3, 3, 8});
  expect_close({7, 40, 2, 2, 20});
}

TEST_F(FloatAttention, SharesHeadsOfKeys) { expect_close({9, 11, 6, 2, 16}); }

TEST_F(FloatAttention, HidesKeysByCausalityAndMasks) {
  expect_close({40, 40, 2, 1, 12, false, true});
  expect_close({9, 11, 4, 2, 8, true, false});
  expect_close({41, 41, 4, 4, 8, true, true});
}

}  // namespace
}  // namespace torquant::runtime
