#include "torquant/graph/value.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace torquant {
namespace {

TEST(TensorMeta, OfARealTensor) {
  const at::Tensor tensor = at::zeros({2, 3, 4}, at::kHalf).transpose(0, 2).narrow(0, 1, 2);
  const TensorMeta meta = meta_of(tensor);
  EXPECT_EQ(meta.dtype, at::kHalf);
  EXPECT_EQ(meta.sizes, (std::vector<Dim>{2, 3, 2}));
  EXPECT_EQ(meta.strides, (std::vector<Dim>{1, 4, 12}));
  EXPECT_EQ(meta.storage_offset, Dim(1));
  EXPECT_FALSE(meta.requires_grad);
}

TEST(TensorMeta, ContiguousStridesAreProductsOfSizes) {
  const Dim batch = SymbolicDim{SymExpr::symbol("s0"), 4};
  const TensorMeta meta = contiguous_meta(at::kFloat, {3, batch, 5});
  EXPECT_EQ(to_string(meta.strides[0]), "5*s0");
  EXPECT_EQ(hint_of(meta.strides[0]), 20);
  EXPECT_EQ(meta.strides[1], Dim(5));
  EXPECT_EQ(meta.strides[2], Dim(1));
}

}  // namespace
}  // namespace torquant
