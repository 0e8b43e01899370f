#include "torquant/runtime/limits.h"

#include <gtest/gtest.h>

#include "tests/support/tiny_model.h"

namespace torquant::runtime {
namespace {

class LimitsTest : public testing::Test {
 protected:
  std::string problem(size_t batch) const {
    const Result<void> checked = check_limits(tiny_.model, plan_memory(tiny_.model, batch));
    return checked.ok() ? "" : checked.error().where + ": " + checked.error().what;
  }
  void set_sizes(size_t value, std::vector<int64_t> sizes) { tiny_.model.values[value].sizes = std::move(sizes); }

  TinyModel tiny_;
};

TEST_F(LimitsTest, CountsTheWork) {
  // Each number that a node reads or gives counts 256; the products of the layers, 1280 * 27, 320 * 20 and 5 * 20, are
  // less.
  const double numbers =
      192 + 192 + 192 + 1280 + 1280 + 320 + 320 + 320 + 320 + 320 + 320 + 320 + 320 + 20 + 20 + 20 + 20 + 5;
  EXPECT_EQ(work_of(tiny_.model, 1), 256 * numbers);
  EXPECT_EQ(work_of(tiny_.model, 9), 9 * 256 * numbers);
  set_sizes(1, {1, 300, 8, 8});
  set_sizes(0, {1, 300, 8, 8});
  EXPECT_EQ(work_of(tiny_.model, 1), 256 * (numbers - 3 * 192 + 3 * 19200 - 1280) + 1280.0 * 2700);
}

TEST_F(LimitsTest, CountsLayersInFloat) {
  format::Model model;
  model.most_batch = 100;
  model.values = {{.name = "x", .type = format::ValueType::kFloat32, .sizes = {1, 20, 30, 400}},
                  {.name = "y", .type = format::ValueType::kFloat32, .sizes = {1, 20, 30, 5}}};
  model.nodes.push_back(
      {"conv", format::FloatLayer{.input = 0, .output = 1, .windows = {.kernel = {3, 3}, .padding = {1, 1}}}});
  EXPECT_EQ(work_of(model, 2), 2 * (600.0 * 5 * 9 * 400 + 256 * 600 * 400));
  EXPECT_TRUE(check_limits(model, plan_memory(model, 100)).ok());
  model.values[1].sizes = {1, 8192, 8193, 1};
  const Result<void> checked = check_limits(model, plan_memory(model, 1));
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().what, "needs tables for 67117056 pixels");
}

TEST_F(LimitsTest, TakesRealModels) {
  EXPECT_EQ(problem(1), "");
  EXPECT_EQ(problem(1000), "");
}

TEST_F(LimitsTest, RefusesWhatNeedsTooMuch) {
  EXPECT_EQ(problem(1'500'000), "batch of 1500000: needs 2400000128 bytes at a time") << "codes and wide, and 128";
  EXPECT_EQ(problem(size_t{1} << 62), "batch of 4611686018427387904: needs 3541774862152233910272 bytes for value x");
  set_sizes(2, {1, 1, 8192, 8193});
  EXPECT_EQ(problem(1).substr(0, 28), "batch of 1: needs tables for");
  set_sizes(2, {1, 1 << 16, 64, 64});
  set_sizes(1, {1, 1 << 16, 8, 8});
  EXPECT_EQ(problem(1).substr(0, 18), "batch of 1: needs ");
  EXPECT_NE(problem(1).find(" multiplications"), std::string::npos) << problem(1);
}

}  // namespace
}  // namespace torquant::runtime
