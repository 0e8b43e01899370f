#include "torquant/graph/made_up_tensor.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

TEST(MadeUpTensor, DependsOnTheNameAlone) {
  const TensorMeta meta = contiguous_meta(at::kFloat, {64, 4});
  const at::Tensor weight = made_up_tensor("conv.weight", meta);
  EXPECT_TRUE(at::equal(weight, made_up_tensor("conv.weight", meta)));
  EXPECT_FALSE(at::equal(weight, made_up_tensor("conv.weight2", meta)));
  EXPECT_GT(weight.abs().max().item<float>(), 0.1f);
  EXPECT_LT(weight.abs().max().item<float>(), 2.0f);
  EXPECT_LT(weight.min().item<float>(), 0.0f);
}

TEST(MadeUpTensor, VariancesAndScalesArePositiveIntegersZero) {
  for (const char* name : {"bn.running_var", "scale_0"}) {
    EXPECT_GE(made_up_tensor(name, contiguous_meta(at::kFloat, {64})).min().item<float>(), 0.5f) << name;
  }
  EXPECT_EQ(made_up_tensor("bn.num_batches_tracked", contiguous_meta(at::kLong, {})).item<int64_t>(), 0);
}

TEST(MadeUpTensor, HasTheStridesOfItsType) {
  TensorMeta meta = contiguous_meta(at::kHalf, {2, 3});
  meta.strides = {1, 2};
  const at::Tensor tensor = made_up_tensor("w", meta);
  EXPECT_EQ(tensor.strides().vec(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(tensor.scalar_type(), at::kHalf);
}

TEST(MadeUpTensor, WhatCannotBeMadeIsAnErrorThatNamesIt) {
  const Dim symbol = SymbolicDim{SymExpr::symbol("s0"), 4};
  EXPECT_EQ(error_text([&] { made_up_tensor("w", contiguous_meta(at::kFloat, {symbol})); }),
            "w: size s0 of a stored tensor");
  TensorMeta strided = contiguous_meta(at::kFloat, {2});
  strided.strides = {symbol};
  EXPECT_EQ(error_text([&] { made_up_tensor("w", strided); }), "w: stride s0 of a stored tensor");
  EXPECT_NE(error_text([&] {
              made_up_tensor("w", contiguous_meta(at::kFloat, {8, 32222222, 3}));
            }).find("w: sizes [8, 32222222, 3] are too many to make up"),
            std::string::npos);
  TensorMeta apart = contiguous_meta(at::kFloat, {2, 2});
  apart.strides[0] = int64_t{1} << 40;
  EXPECT_THROW(made_up_tensor("w", apart), Error);
  EXPECT_EQ(error_text([&] { made_up_tensor("w", contiguous_meta(at::kFloat, {int64_t{1} << 60})); }).substr(0, 3),
            "w: ");
}

}  // namespace
}  // namespace torquant
