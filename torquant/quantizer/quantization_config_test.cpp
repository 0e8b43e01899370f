#include "torquant/quantizer/quantization_config.h"

#include <gtest/gtest.h>

namespace torquant {
namespace {

TEST(SymmetricConfig, IsXnnpacks) {
  const QuantizationConfig config = get_symmetric_quantization_config({.is_per_channel = true});
  EXPECT_EQ(config.input_activation, config.output_activation);
  EXPECT_EQ(config.input_activation->options.qscheme, QScheme::kPerTensorAffine);
  EXPECT_EQ(config.input_activation->observer.eps, 0x1p-12f);
  EXPECT_EQ(config.weight->options.qscheme, QScheme::kPerChannelSymmetric);
  EXPECT_EQ(config.weight->options.quant_range->min, -127);
  EXPECT_EQ(config.weight->options.ch_axis, 0);
  EXPECT_FALSE(config.is_dynamic());
}

TEST(SymmetricConfig, DynamicLeavesTheOutputInFloat) {
  const QuantizationConfig config = get_symmetric_quantization_config({.is_dynamic = true});
  EXPECT_TRUE(config.is_dynamic());
  EXPECT_FALSE(config.output_activation);
  EXPECT_EQ(config.weight->options.qscheme, QScheme::kPerTensorSymmetric);
}

}  // namespace
}  // namespace torquant
