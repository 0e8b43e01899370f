#include "torquant/data/dataset.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

at::Tensor rows(int64_t count) { return at::arange(count * 3, at::kFloat).reshape({count, 3}); }
at::Tensor classes(int64_t count) { return at::arange(count, at::kByte); }

// Samples of growing length: they cannot share a batch.
class Growing : public Dataset {
 public:
  Growing() : Dataset("growing", 3) {}

 private:
  Sample load(int64_t index) const override {
    return {.inputs = {at::ones({1, index + 1})}, .labels = index < 2 ? at::zeros({1}, at::kLong) : at::Tensor()};
  }
};

TEST(ArrayDataset, SamplesAreRowsWithTheirLabels) {
  const ArrayDataset data("rows", {rows(4), rows(4).to(at::kLong)}, classes(4));
  ASSERT_EQ(data.size(), 4);
  const Sample sample = data.sample(2);
  ASSERT_EQ(sample.inputs.size(), 2U);
  EXPECT_TRUE(sample.inputs[0].equal(rows(4).narrow(0, 2, 1)));
  EXPECT_EQ(sample.inputs[1].scalar_type(), at::kLong);
  EXPECT_EQ(sample.labels.scalar_type(), at::kLong);
  EXPECT_EQ(sample.labels.item<int64_t>(), 2);
  EXPECT_FALSE(ArrayDataset("rows", {rows(4)}, {}).sample(0).labels.defined());
}

TEST(ArrayDataset, RefusesArraysThatDoNotFitTogether) {
  EXPECT_EQ(error_text([] { ArrayDataset("a.npz", {}, {}); }), "a.npz: no input array");
  EXPECT_EQ(error_text([] { ArrayDataset("a.npz", {at::ones({})}, {}); }), "a.npz: x0 has no axis of samples");
  EXPECT_EQ(error_text([] { ArrayDataset("a.npz", {rows(4), rows(3)}, {}); }), "a.npz: x1 holds 3 samples, x0 holds 4");
  EXPECT_EQ(error_text([] { ArrayDataset("a.npz", {rows(0)}, {}); }), "a.npz: holds no sample");
  EXPECT_EQ(error_text([] { ArrayDataset("a.npz", {rows(4)}, classes(5)); }), "a.npz: 5 labels for 4 samples");
}

TEST(Labels, AreClassNumbers) {
  EXPECT_EQ(error_text([] { checked_labels("a.npz: y", at::ones({3})); }),
            "a.npz: y: labels of dtype Float\n  allowed here: an integer dtype: class numbers from 0");
  EXPECT_EQ(error_text([] { checked_labels("a.npz: y", classes(4).reshape({2, 2})); }),
            "a.npz: y: labels of shape [2, 2]\n  allowed here: one axis: a class number a sample");
  EXPECT_EQ(error_text([] { checked_labels("a.npz: y", at::arange(1, -2, -1)); }),
            "a.npz: y: label -1 of sample 2\n  allowed here: class numbers from 0");
  EXPECT_EQ(checked_labels("", at::ones({}, at::kInt)).sizes(), at::IntArrayRef({1}));
}

TEST(Dataset, RefusesAnIndexOutsideIt) {
  const ArrayDataset data("rows", {rows(4)}, {});
  EXPECT_EQ(error_text([&] { data.sample(4); }), "rows: sample 4 is asked for\n  allowed here: 0 to 3");
  EXPECT_EQ(error_text([&] { data.sample(-1); }), "rows: sample -1 is asked for\n  allowed here: 0 to 3");
}

TEST(LoadBatch, JoinsSamplesAlongTheBatch) {
  const ArrayDataset data("rows", {rows(5)}, classes(5));
  const Sample batch = load_batch(data, 1, 3);
  EXPECT_TRUE(batch.inputs.at(0).equal(rows(5).narrow(0, 1, 3)));
  EXPECT_TRUE(batch.labels.equal(at::arange(1, 4)));
}

TEST(LoadBatch, TheLastBatchMayBeShort) {
  const ArrayDataset data("rows", {rows(5)}, classes(5));
  EXPECT_EQ(load_batch(data, 3, 4).labels.numel(), 2);
  EXPECT_EQ(load_batch(data, 0, INT64_MAX).labels.numel(), 5);
}

TEST(LoadBatch, RefusesWhatDoesNotJoin) {
  const Growing data;
  EXPECT_EQ(load_batch(data, 2, 1).inputs[0].size(1), 3);
  EXPECT_EQ(error_text([&] { load_batch(data, 0, 2); }),
            "growing: sample 1: x0 is Float [1, 2], which does not join the Float [1, 1] of sample 0 in one batch\n"
            "  to go on: use a batch size of 1");
  EXPECT_EQ(error_text([&] { load_batch(data, 1, 2); }),
            "growing: sample 2: has 1 inputs and no labels, sample 1 has 1 and labels");
  EXPECT_EQ(error_text([&] { load_batch(data, 0, 0); }),
            "growing: a batch of 0 samples is asked for\n  allowed here: 1 or more");
  EXPECT_EQ(error_text([&] { load_batch(data, 3, 1); }), "growing: sample 3 is asked for\n  allowed here: 0 to 2");
}

}  // namespace
}  // namespace torquant
