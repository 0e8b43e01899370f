#include "torquant/data/image_options.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/input_program.h"

namespace torquant {
namespace {

Program image_program(std::vector<Dim> sizes, at::ScalarType dtype = at::kFloat) {
  return input_program({contiguous_meta(dtype, std::move(sizes))});
}

Program rgb_program(int64_t height = 224, int64_t width = 224) {
  return image_program({int64_t{1}, int64_t{3}, height, width});
}

std::string fit_error(const ImageOptions& options, const Program& program) {
  return error_text([&] { fit_to_program(options, program); });
}

TEST(ImageOptions, APresetTakesItsSizesFromTheProgram) {
  const ImageOptions options = fit_to_program(image_preset("imagenet"), rgb_program());
  EXPECT_EQ(options.resize, 256);
  EXPECT_EQ(options.crop, (ImageSize{224, 224}));
  EXPECT_EQ(options.channels, 3);
  EXPECT_EQ(options.mean, (std::vector<double>{0.485, 0.456, 0.406}));
  EXPECT_EQ(fit_to_program(image_preset("imagenet"), rgb_program(240, 240)).resize, 274);
  EXPECT_EQ(fit_to_program(image_preset("unit"), rgb_program(192, 320)).resize, 320);
  EXPECT_EQ(fit_to_program(image_preset("inception"), rgb_program()).std, (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(fit_to_program(image_preset("efficientnet-lite"), rgb_program()).mean[2] * 255, 127);
  EXPECT_EQ(fit_to_program(image_preset("clip"), rgb_program()).resize, 224);
}

TEST(ImageOptions, WhatIsGivenWins) {
  ImageOptions options = image_preset("imagenet");
  options.crop = ImageSize{32, 64};
  EXPECT_EQ(fit_to_program(options, rgb_program()).resize, 73);
  options.resize = 40;
  EXPECT_EQ(fit_to_program(options, rgb_program()).resize, 40);
  EXPECT_EQ(fit_to_program(options, rgb_program()).crop, (ImageSize{32, 64}));
}

TEST(ImageOptions, FollowTheExampleWhereSizesAreSymbolic) {
  const Dim any = SymbolicDim{SymExpr::symbol("s0"), 96};
  const Program program = image_program({any, int64_t{1}, any, any});
  EXPECT_EQ(fit_to_program(image_preset("unit"), program).crop, (ImageSize{96, 96}));
  EXPECT_EQ(fit_to_program(image_preset("unit"), program).mean.size(), 1U);
  const Dim unknown = SymbolicDim{SymExpr::symbol("s1"), std::nullopt};
  const Program no_example = image_program({int64_t{1}, int64_t{3}, unknown, unknown});
  EXPECT_EQ(fit_error(image_preset("unit"), no_example),
            "input x0: takes images of any size, and the archive does not say which was its example\n"
            "  to go on: say the size: --crop 224 (ImageOptions::crop)");
  EXPECT_EQ(fit_to_program({.crop = ImageSize{64, 64}}, no_example).resize, 64);
}

TEST(ImageOptions, RefusesProgramsThatTakeNoImages) {
  const std::string rest =
      "\n  allowed here: one input [N, 3, H, W] (RGB) or [N, 1, H, W] (grey) of float32\n"
      "  to go on: give data as the program takes them: npz or safetensors";
  const auto refusal = [](const Program& program) { return fit_error({}, program); };
  EXPECT_EQ(refusal(image_program({int64_t{1}, int64_t{4}, int64_t{8}, int64_t{8}})),
            "input x0: Float[1, 4, 8, 8] takes no images" + rest);
  EXPECT_EQ(refusal(image_program({int64_t{1}, int64_t{8}})), "input x0: Float[1, 8] takes no images" + rest);
  EXPECT_EQ(refusal(image_program({int64_t{1}, int64_t{3}, int64_t{8}, int64_t{8}}, at::kByte)),
            "input x0: Byte[1, 3, 8, 8] takes no images" + rest);
  const TensorMeta image = contiguous_meta(at::kFloat, {int64_t{1}, int64_t{3}, int64_t{8}, int64_t{8}});
  EXPECT_EQ(refusal(input_program({image, image})), "images are one input, the program takes 2" + rest);
}

TEST(ImageOptions, RefusesValuesThatCannotBe) {
  const Program rgb = rgb_program();
  EXPECT_EQ(error_text([] { image_preset("imagnet"); }),
            "imagnet: is no way to prepare images\n"
            "  allowed here: imagenet, inception, efficientnet-lite, clip, unit");
  EXPECT_EQ(fit_error({.resize = 0}, rgb), "resize: 0 pixels\n  allowed here: 1 to 16384");
  EXPECT_EQ(fit_error({.crop = ImageSize{224, 20000}}, rgb), "crop: 20000 pixels\n  allowed here: 1 to 16384");
  EXPECT_EQ(fit_error({.crop_fraction = 1.5}, rgb), "crop_fraction: 1.5\n  allowed here: above 0, to 1");
  EXPECT_EQ(fit_error({.mean = {0.1, 0.2}}, rgb),
            "mean: 2 values (0.1, 0.2) for images of 3 channels\n  allowed here: 1 or 3");
  EXPECT_EQ(fit_error(image_preset("imagenet"), image_program({int64_t{1}, int64_t{1}, int64_t{8}, int64_t{8}})),
            "mean: 3 values (0.485, 0.456, 0.406) for images of 1 channel\n  allowed here: 1");
  EXPECT_EQ(fit_error({.mean = {123.675}}, rgb),
            "mean: 123.675\n  allowed here: 0 to 1: pixels are divided by 255 first\n"
            "  to go on: if it is meant for pixels of 0 to 255: 0.485");
  EXPECT_EQ(fit_error({.std = {58.395}}, rgb),
            "std: 58.395\n  allowed here: above 0, up to 1: pixels are divided by 255 first\n"
            "  to go on: if it is meant for pixels of 0 to 255: 0.229");
  EXPECT_EQ(fit_error({.std = {0}}, rgb), "std: 0\n  allowed here: above 0, up to 1: pixels are divided by 255 first");
  EXPECT_EQ(fit_error({.channels = 1}, rgb), "input x0: takes 3 channels, the options say 1");
}

}  // namespace
}  // namespace torquant
