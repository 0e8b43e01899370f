#include "torquant/quantizer/capability.h"

#include <gtest/gtest.h>

namespace torquant {
namespace {

const OpId kOp{"aten.conv2d.default"};

TEST(Capability, ModeFollowsFromTheActivation) {
  EXPECT_EQ(mode_of({.quantizer = "Q", .pattern = "p", .ops = {kOp}}), "weight only");
  EXPECT_EQ(mode_of({.quantizer = "Q", .pattern = "p", .ops = {kOp}, .activation = ObserverOptions{}}), "static");
  EXPECT_EQ(
      mode_of({.quantizer = "Q", .pattern = "p", .ops = {kOp}, .activation = ObserverOptions{.is_dynamic = true}}),
      "dynamic");
}

TEST(Capability, SchemeText) {
  EXPECT_EQ(scheme_text(std::nullopt), "float");
  EXPECT_EQ(scheme_text(ObserverOptions{.dtype = DType::kUInt8, .quant_range = QuantRange{0, 127}}),
            "uint8 [0, 127], per_tensor_affine");
}

TEST(Capability, WhatIsOnRequestDoesNotServe) {
  EXPECT_TRUE(serves({{.quantizer = "Q", .pattern = "p", .ops = {kOp}}}, kOp));
  EXPECT_FALSE(serves({{.quantizer = "Q", .pattern = "p", .ops = {kOp}, .on_request = true}}, kOp));
  EXPECT_FALSE(serves({}, kOp));
}

TEST(Capability, ShortName) {
  EXPECT_EQ(short_name(kOp), "conv2d");
  EXPECT_EQ(short_name(OpId("aten.flatten.using_ints")), "flatten");
}

}  // namespace
}  // namespace torquant
