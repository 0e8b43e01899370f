#include "torquant/cli/metrics.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/error_text.h"

namespace torquant::cli {
namespace {

at::Tensor label(int64_t value) { return at::full({1}, value, at::kLong); }

TEST(Metrics, CountTheRankOfTheTruth) {
  const at::Tensor scores = at::arange(7, at::kFloat).reshape({1, 7});  // class 6 is best, then 5, 4, …
  ClassificationMetrics metrics;
  metrics.add(scores, label(6));
  metrics.add(scores, label(2));  // fifth
  metrics.add(scores, label(1));  // sixth
  metrics.add(scores, label(5));
  EXPECT_EQ(metrics.samples(), 4);
  EXPECT_EQ(metrics.classes(), 7);
  EXPECT_EQ(metrics.top1(), 0.25);
  EXPECT_EQ(metrics.top5(), 0.75);
}

TEST(Metrics, TheLossIsCrossEntropy) {
  ClassificationMetrics metrics;
  metrics.add(at::zeros({2, 4}), at::zeros({2}, at::kLong));
  EXPECT_DOUBLE_EQ(metrics.loss(), std::log(4.0));
  EXPECT_EQ(metrics.top1(), 1.0);  // of equal scores the lowest class wins
}

TEST(Metrics, TiesGoToTheLowerClass) {
  ClassificationMetrics metrics;
  metrics.add(at::zeros({1, 4}), label(3));
  EXPECT_EQ(metrics.top1(), 0.0);
  EXPECT_EQ(metrics.top5(), 1.0);
}

TEST(Metrics, NotANumberIsNeverRight) {
  ClassificationMetrics metrics;
  metrics.add(at::full({1, 4}, std::nan("")), label(0));
  EXPECT_EQ(metrics.top1(), 0.0);
  EXPECT_EQ(metrics.top5(), 0.0);
}

TEST(Metrics, RefuseWhatIsNoClassification) {
  ClassificationMetrics metrics;
  EXPECT_EQ(error_text([&] { metrics.add(at::zeros({2, 3, 4}), at::zeros({2}, at::kLong)); }),
            "the program's first output: is Float [2, 3, 4], with 2 labels\n"
            "  allowed here: floats [2, classes], to compare classes with labels");
  EXPECT_EQ(error_text([&] { metrics.add(at::zeros({1, 4}), label(4)); }),
            "labels: class 4\n  allowed here: 0 to 3: the program has 4 classes");
}

}  // namespace
}  // namespace torquant::cli
