#include "torquant/core/qscheme.h"

#include <gtest/gtest.h>

namespace torquant {
namespace {

TEST(QScheme, NamesRoundTrip) {
  for (const auto* name : {"per_tensor_affine", "per_tensor_symmetric", "per_token_affine", "per_channel_affine",
                           "per_channel_symmetric", "per_channel_affine_float_qparams"}) {
    ASSERT_TRUE(qscheme_from_name(name).has_value()) << name;
    EXPECT_EQ(qscheme_name(*qscheme_from_name(name)), name);
  }
  EXPECT_FALSE(qscheme_from_name("per_token").has_value());
}

TEST(QScheme, KindsFollowTheNames) {
  EXPECT_FALSE(is_per_channel(QScheme::kPerTensorAffine));
  EXPECT_FALSE(is_per_channel(QScheme::kPerTensorSymmetric));
  EXPECT_FALSE(is_per_channel(QScheme::kPerTokenAffine));
  EXPECT_TRUE(is_per_channel(QScheme::kPerChannelAffine));
  EXPECT_TRUE(is_per_channel(QScheme::kPerChannelSymmetric));
  EXPECT_TRUE(is_per_channel(QScheme::kPerChannelAffineFloatQParams));
  EXPECT_TRUE(is_symmetric(QScheme::kPerTensorSymmetric));
  EXPECT_TRUE(is_symmetric(QScheme::kPerChannelSymmetric));
  EXPECT_FALSE(is_symmetric(QScheme::kPerTokenAffine));
  EXPECT_FALSE(is_symmetric(QScheme::kPerChannelAffine));
  EXPECT_FALSE(is_symmetric(QScheme::kPerChannelAffineFloatQParams));
}

}  // namespace
}  // namespace torquant
