#include "torquant/graph/wrapped_number.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

namespace torquant {
namespace {

TEST(WrappedNumber, YieldsToTheDtypeOfTensors) {
  const at::Tensor codes = at::ones({2}, at::kChar);
  EXPECT_EQ((codes * wrapped_number(2)).scalar_type(), at::kChar);
  EXPECT_EQ((codes * wrapped_number(2.5)).scalar_type(), at::kFloat);
  EXPECT_EQ((at::ones({2}, at::kHalf) * wrapped_number(2.5)).scalar_type(), at::kHalf);
  EXPECT_EQ(wrapped_number(2.5).scalar_type(), at::kDouble);
}

}  // namespace
}  // namespace torquant
