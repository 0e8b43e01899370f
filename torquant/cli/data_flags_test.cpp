#include "torquant/cli/data_flags.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/input_program.h"

namespace torquant::cli {
namespace {

Program rgb_program() {
  return input_program({contiguous_meta(at::kFloat, {int64_t{1}, int64_t{3}, int64_t{224}, int64_t{224}})});
}

TEST(DataFlags, SayNothingOfImages) {
  EXPECT_FALSE(image_options({.path = "data.npz", .samples = 3, .shuffle = 1}, rgb_program()));
}

TEST(DataFlags, APresetIsCompletedByTheProgram) {
  const auto options = image_options({.path = "photos", .preset = "imagenet"}, rgb_program());
  EXPECT_EQ(options->resize, 256);
  EXPECT_EQ(options->crop, (ImageSize{224, 224}));
}

TEST(DataFlags, SingleFlagsWinOverThePreset) {
  const auto options = image_options(
      {.path = "photos", .preset = "imagenet", .resize = 320, .crop = "192x320", .mean = {0.5}}, rgb_program());
  EXPECT_EQ(options->resize, 320);
  EXPECT_EQ(options->crop, (ImageSize{.height = 192, .width = 320}));
  EXPECT_EQ(options->mean, (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(options->std, (std::vector<double>{0.229, 0.224, 0.225}));
}

TEST(DataFlags, WithoutAPresetMeanAndStdAreNeeded) {
  EXPECT_EQ(image_options({.path = "photos", .mean = {0}, .std = {1}}, rgb_program())->resize, 224);
  for (const DataFlags& flags : {DataFlags{.path = "photos", .resize = 256}, DataFlags{.path = "photos", .crop = "224"},
                                 DataFlags{.path = "photos", .mean = {0.5}}}) {
    EXPECT_EQ(error_text([&] { image_options(flags, rgb_program()); }),
              "photos: how to normalise images was not said\n"
              "  allowed here: --preprocess PRESET, or both --mean and --std");
  }
}

TEST(DataFlags, SyntheticDataHaveTheSizesOfTheProgram) {
  const auto data = open_data({.path = "synthetic"}, rgb_program(), Split::kTrain);
  EXPECT_EQ(data->size(), 32);
  EXPECT_EQ(data->sample(0).inputs.at(0).sizes(), at::IntArrayRef({1, 3, 224, 224}));
  EXPECT_EQ(open_data({.path = "synthetic", .samples = 5}, rgb_program(), Split::kTrain)->size(), 5);
}

}  // namespace
}  // namespace torquant::cli
