#include "torquant/cli/batches.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace torquant::cli {
namespace {

Program program_of(const Dim& batch) {
  Program program;
  program.graph().add_input("x", contiguous_meta(at::kFloat, {batch, int64_t{4}}));
  program.input_specs().push_back({});
  return program;
}

Program dynamic_program(std::optional<int64_t> min, std::optional<int64_t> max) {
  Program program = program_of(SymbolicDim{SymExpr::symbol("s0"), 2});
  program.ranges()["s0"] = {min, max};
  return program;
}

const ArrayDataset& data() {
  static const ArrayDataset dataset("rows", {at::zeros({10, 4})}, {});
  return dataset;
}

TEST(Batches, FollowTheProgram) {
  EXPECT_EQ(plan_batches(program_of(int64_t{8}), data(), {}, 64).samples_per_call, 8);
  EXPECT_EQ(plan_batches(program_of(int64_t{8}), data(), {}, 64).fixed_rows, 8);
  EXPECT_EQ(plan_batches(dynamic_program(1, 1024), data(), {}, 64).samples_per_call, 64);
  EXPECT_EQ(plan_batches(dynamic_program(1, 16), data(), {}, 64).samples_per_call, 16);
  EXPECT_EQ(plan_batches(dynamic_program(2, {}), data(), {}, 1).samples_per_call, 2);
  EXPECT_EQ(plan_batches(dynamic_program(1, {}), data(), {}, 64).fixed_rows, 0);
}

TEST(Batches, FollowTheUserFirst) {
  EXPECT_EQ(plan_batches(program_of(int64_t{8}), data(), 3, 64).samples_per_call, 3);
  EXPECT_EQ(plan_batches(dynamic_program(1, 16), data(), 3, 64).samples_per_call, 3);
}

TEST(Batches, AShortBatchIsFilledWithItsLastRow) {
  const Sample full = padded({.inputs = {at::arange(4).reshape({2, 2})}, .labels = at::arange(2)}, 4);
  EXPECT_TRUE(full.inputs[0].equal(at::arange(4).reshape({2, 2}).index_select(0, at::arange(4).clamp_max(1))));
  EXPECT_TRUE(full.labels.equal(at::arange(4).clamp_max(1)));
}

}  // namespace
}  // namespace torquant::cli
