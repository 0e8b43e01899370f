#include "torquant/data/image_folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_images.h"

namespace torquant {
namespace {

namespace fs = std::filesystem;

class ImageFolder : public testing::Test {
 protected:
  void put(const std::string& image, const std::string& as) {
    fs::create_directories(fs::path(folder_.path(as)).parent_path());
    fs::copy(test_image_path(image), folder_.path(as));
  }
  std::unique_ptr<Dataset> open() const {
    return open_image_folder(
        folder_.path(), {.resize = 13, .crop = ImageSize{13, 13}, .mean = {0, 0, 0}, .std = {1, 1, 1}, .channels = 3});
  }
  std::string open_error() const {
    return error_text([&] { open(); });
  }

  const TempFolder folder_;
};

// The crop of a test image, which is 13 x 18: columns 2 to 14.
at::Tensor cropped(const std::string& name) {
  return expected_image(name).narrow(1, 2, 13).permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255);
}

TEST_F(ImageFolder, LabelsAreThePlacesOfTheClassesInOrder) {
  put("rgb.png", "dog/1.png");
  put("grey.png", "cat/b.PNG");
  put("rgba.png", "cat/a.png");
  put("444.jpg", "Zebra/x.JPEG");  // bytes: capitals first
  const auto data = open();
  ASSERT_EQ(data->size(), 4);
  EXPECT_EQ(data->class_names(), (std::vector<std::string>{"Zebra", "cat", "dog"}));
  for (const auto& [index, label] : {std::pair{0, 0}, {1, 1}, {2, 1}, {3, 2}}) {
    EXPECT_EQ(data->sample(index).labels.item<int64_t>(), label) << index;
  }
  EXPECT_TRUE(data->sample(1).inputs.at(0).equal(cropped("rgba.png")));
  EXPECT_TRUE(data->sample(2).inputs.at(0).equal(cropped("grey.png").expand({-1, 3, -1, -1})));
  EXPECT_TRUE(data->sample(3).inputs.at(0).equal(cropped("rgb.png")));
}

TEST_F(ImageFolder, AFlatFolderHasNoLabels) {
  put("rgb.png", "b.png");
  put("444.jpg", "a.jpg");
  const auto data = open();
  ASSERT_EQ(data->size(), 2);
  EXPECT_FALSE(data->sample(0).labels.defined());
  EXPECT_TRUE(data->sample(1).inputs.at(0).equal(cropped("rgb.png")));
}

TEST_F(ImageFolder, TheContentDecidesNotTheName) {
  put("rgb.png", "a.jpg");
  EXPECT_TRUE(open()->sample(0).inputs.at(0).equal(cropped("rgb.png")));
}

TEST_F(ImageFolder, WhatFileManagersLeaveDoesNotCount) {
  put("rgb.png", "cat/a.png");
  put("rgb.png", ".ipynb_checkpoints/a.png");
  folder_.write(".DS_Store", "");
  folder_.write("cat/Thumbs.db", "");
  folder_.write("cat/desktop.ini", "");
  folder_.write("cat/._a.png", "");
  EXPECT_EQ(open()->size(), 1);
}

TEST_F(ImageFolder, IsToldByWhatItHolds) {
  EXPECT_FALSE(is_image_folder(folder_.path()));
  folder_.write("notes.txt", "");
  EXPECT_FALSE(is_image_folder(folder_.path()));
  put("rgb.png", "a.PNG");
  EXPECT_TRUE(is_image_folder(folder_.path()));
  fs::remove(folder_.path("a.PNG"));
  fs::create_directory(folder_.path("cat"));
  EXPECT_TRUE(is_image_folder(folder_.path()));
}

TEST_F(ImageFolder, RefusesWhatIsNoImage) {
  put("rgb.png", "cat/a.png");
  folder_.write("cat/notes.txt", "");
  EXPECT_EQ(open_error(), folder_.path("cat/notes.txt") + ": is no image\n  allowed here: .jpg, .jpeg, .png");
  fs::remove(folder_.path("cat/notes.txt"));
  folder_.write("notes.txt", "");
  EXPECT_EQ(open_error(), folder_.path("notes.txt") + ": is no image\n  allowed here: .jpg, .jpeg, .png");
}

TEST_F(ImageFolder, RefusesOtherShapesOfFolders) {
  put("rgb.png", "train/cat/a.png");
  EXPECT_EQ(open_error(), folder_.path("train") +
                              ": is taken as a class, but holds the folder cat\n"
                              "  to go on: name the folder whose folders are the classes, such as …/train");
  fs::remove_all(folder_.path("train"));
  put("rgb.png", "cat/a.png");
  put("rgb.png", "b.png");
  EXPECT_EQ(
      open_error(),
      folder_.path() +
          ": holds images (b.png, …) beside folders (cat, …)\n  allowed here: class folders alone, or images alone");
  fs::remove(folder_.path("b.png"));
  fs::create_directory(folder_.path("dog"));
  EXPECT_EQ(open_error(),
            folder_.path("dog") + ": is taken as a class, but holds no image\n  allowed here: .jpg, .jpeg, .png");
}

TEST_F(ImageFolder, ABrokenImageIsNamedWhenItIsRead) {
  put("rgb.png", "a.png");
  folder_.write("b.jpg", "GIF89a");
  const auto data = open();
  EXPECT_EQ(error_text([&] { data->sample(1); }),
            folder_.path("b.jpg") + ": holds another kind of data than its name says\n  allowed here: JPEG or PNG");
}

TEST_F(ImageFolder, RefusesOptionsThatLeaveSomethingOpen) {
  put("rgb.png", "a.png");
  EXPECT_EQ(error_text([&] { open_image_folder(folder_.path(), {}); }),
            folder_.path() +
                ": the image options leave resize, crop or channels open\n"
                "  to go on: fit_to_program(options, program) takes them from the program");
}

}  // namespace
}  // namespace torquant
