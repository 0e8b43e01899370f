#include "torquant/data/preprocess.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_images.h"

namespace torquant {
namespace {

ImageOptions options(int64_t resize, ImageSize crop, int64_t channels = 3) {
  const auto values = static_cast<size_t>(channels);
  return {.resize = resize,
          .crop = crop,
          .mean = std::vector<double>(values, 0),
          .std = std::vector<double>(values, 1),
          .channels = channels};
}

// The kernels of another CPU may add in another order: a few units in the last place of values up to 3.
void expect_as_torch(const std::string& name, const ImageOptions& options) {
  const at::Tensor ours = preprocess(name, expected_image(name), options);
  const at::Tensor theirs = expected_image("prepared " + name);
  ASSERT_EQ(ours.sizes(), theirs.sizes());
  EXPECT_TRUE(at::allclose(ours, theirs, /*rtol=*/0, /*atol=*/2e-6)) << (ours - theirs).abs().max();
}

TEST(Preprocess, GivesWhatTorchGives) {
  ImageOptions smaller = options(8, {7, 7});
  smaller.mean = {0.485, 0.456, 0.406};
  smaller.std = {0.229, 0.224, 0.225};
  expect_as_torch("rgb.png", smaller);
  ImageOptions larger = options(16, {14, 14});
  larger.mean = {0.5, 0.5, 0.5};
  larger.std = {0.25, 0.25, 0.25};
  expect_as_torch("orientation6.jpg", larger);
}

TEST(Preprocess, AnImageOfTheRightSizeStaysAsItIs) {
  const at::Tensor image = at::arange(2 * 3 * 3, at::kByte).reshape({2, 3, 3});
  const at::Tensor x = preprocess("a", image, options(2, {2, 3}));
  EXPECT_TRUE(x.equal(image.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255)));
  EXPECT_TRUE(x.is_contiguous());
}

TEST(Preprocess, TheCropIsInTheMiddle) {
  const at::Tensor image = at::arange(9, at::kByte).reshape({1, 9, 1});
  const auto first = [&](int64_t width) {
    return std::lround(preprocess("a", image, options(1, {1, width}, 1)).flatten()[0].item<double>() * 255);
  };
  EXPECT_EQ(first(9), 0);
  EXPECT_EQ(first(7), 1);
  EXPECT_EQ(first(8), 0);  // half a pixel goes to the even one
  EXPECT_EQ(first(6), 2);
  EXPECT_EQ(first(1), 4);
}

TEST(Preprocess, ImagesGetTheChannelsOfTheProgram) {
  EXPECT_EQ(preprocess("a", at::zeros({4, 4, 3}, at::kByte), options(4, {4, 4}, 1)).sizes(),
            at::IntArrayRef({1, 1, 4, 4}));
  EXPECT_EQ(preprocess("a", at::zeros({4, 4, 1}, at::kByte), options(4, {4, 4}, 3)).sizes(),
            at::IntArrayRef({1, 3, 4, 4}));
}

TEST(Preprocess, RefusesWhatTheCropDoesNotFitIn) {
  EXPECT_EQ(error_text([] { preprocess("a.png", at::zeros({10, 5, 3}, at::kByte), options(4, {4, 6})); }),
            "a.png: an image of 5 x 10 pixels, resized to 4 x 8, has no part of 6 x 4\n"
            "  to go on: --resize 6 or more (ImageOptions::resize)");
}

TEST(Preprocess, RefusesThreadsThatResizingBlowsUp) {
  EXPECT_EQ(error_text([] { preprocess("a.png", at::zeros({1, 40000, 1}, at::kByte), options(256, {224, 224}, 1)); }),
            "a.png: an image of 40000 x 1 pixels becomes 10240000 x 256 by resizing\n"
            "  allowed here: 1 to 67108864 pixels");
}

}  // namespace
}  // namespace torquant
