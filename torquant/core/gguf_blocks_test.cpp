#include "torquant/core/gguf_blocks.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace torquant {
namespace {

TEST(GgufBlocks, ScalesAndMinimaAreScaledBySuperBlock) {  // Q27
  std::vector<float> weight(256);
  // Block b runs from b to b + 15 * (b + 1): scale b + 1, minimum b.
  for (int b = 0; b < 8; ++b) {
    for (int i = 0; i < 32; ++i) weight[32 * b + i] = static_cast<float>(b + (i % 16) * (b + 1));
  }
  const BlockLayout layout("test", std::array<int64_t, 2>{1, 256}, std::array<int64_t, 2>{1, 32});
  std::vector<float> scale_scale(1);
  std::vector<float> min_scale(1);
  std::vector<float> block_scale(8);
  std::vector<float> block_min(8);
  choose_qparams_gguf(layout, weight, {scale_scale, min_scale, block_scale, block_min});
  EXPECT_EQ(scale_scale[0], 8.0f / 63);
  EXPECT_EQ(min_scale[0], 7.0f / 63);
  EXPECT_FLOAT_EQ(block_scale[7], 63);
  EXPECT_FLOAT_EQ(block_scale[0], 63.0f / 8);
  EXPECT_EQ(block_min[0], 0);

  std::vector<float> codes(256);
  quantize_gguf(layout, weight, {scale_scale, min_scale, block_scale, block_min}, codes);
  EXPECT_NEAR(codes[32 + 5], 5, 1e-5);
  std::vector<float> real(256);
  dequantize_gguf(layout, codes, {scale_scale, min_scale, block_scale, block_min}, real);
  for (int i = 0; i < 256; ++i) EXPECT_NEAR(real[i], weight[i], 1e-4) << i;
}

TEST(GgufBlocks, NegativeMinimaAreLost) {
  const std::vector<float> weight(256, -1.0f);
  const BlockLayout layout("test", std::array<int64_t, 2>{1, 256}, std::array<int64_t, 2>{1, 32});
  std::vector<float> scale_scale(1);
  std::vector<float> min_scale(1);
  std::vector<float> block_scale(8);
  std::vector<float> block_min(8);
  choose_qparams_gguf(layout, weight, {scale_scale, min_scale, block_scale, block_min});
  EXPECT_EQ(block_min[0], 0);
}

}  // namespace
}  // namespace torquant
