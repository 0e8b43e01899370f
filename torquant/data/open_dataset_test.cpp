#include "torquant/data/open_dataset.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_images.h"
#include "torquant/io/safetensors.h"

namespace torquant {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

class OpenDataset : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.path(name); }

  void write(const std::string& name, const std::string& bytes) { folder_.write(name, bytes); }
  // `count` images of 1 x 1 and their labels.
  void write_idx(const std::string& prefix, char count) {
    write(prefix + "-images-idx3-ubyte",
          "\0\0\x08\x03\0\0\0"s + count + "\0\0\0\x01\0\0\0\x01"s + std::string(static_cast<size_t>(count), '\xff'));
    write(prefix + "-labels-idx1-ubyte",
          "\0\0\x08\x01\0\0\0"s + count + std::string(static_cast<size_t>(count), '\x03'));
  }
  void write_samples(const std::string& name, int64_t count) {
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    for (int64_t i = 0; i < count; ++i) tensors.emplace_back(std::to_string(i) + ".x0", at::full({1, 2}, 1.0));
    save_safetensors(path(name), tensors);
  }
  void copy_numpy(const std::string& name) { fs::copy(TORQUANT_TEST_DATA "/numpy/" + name, path(name)); }

  const TempFolder folder_;
};

TEST_F(OpenDataset, TakesAFileOfEachKind) {
  write_idx("train", 2);
  write_samples("s.safetensors", 3);
  copy_numpy("labelled.npz");
  copy_numpy("float32.npy");
  const auto images = open_dataset(path("train-images-idx3-ubyte"), Split::kTest);
  EXPECT_EQ(images->size(), 2);
  EXPECT_EQ(images->sample(1).labels.item<int64_t>(), 3);
  EXPECT_EQ(open_dataset(path("s.safetensors"), Split::kTest)->size(), 3);
  EXPECT_EQ(open_dataset(path("labelled.npz"), Split::kTest)->size(), 4);
  EXPECT_EQ(open_dataset(path("float32.npy"), Split::kTest)->sample(2).inputs.at(0).sizes(), at::IntArrayRef({1, 4}));
}

TEST_F(OpenDataset, FindsLabelsPackedOrNot) {
  write_idx("train", 2);
  fs::rename(path("train-labels-idx1-ubyte"), path("train-labels-idx1-ubyte.gz"));  // the reader takes both by content
  EXPECT_TRUE(open_dataset(path("train-images-idx3-ubyte"), Split::kTrain)->sample(0).labels.defined());
  fs::remove(path("train-labels-idx1-ubyte.gz"));
  EXPECT_FALSE(open_dataset(path("train-images-idx3-ubyte"), Split::kTrain)->sample(0).labels.defined());
}

TEST_F(OpenDataset, TakesTheOneFileOfAFolder) {
  write_samples("anything.safetensors", 3);
  write("readme.txt", "not data");
  EXPECT_EQ(open_dataset(folder_.path(), Split::kTrain)->size(), 3);
  EXPECT_EQ(open_dataset(folder_.path(), Split::kTest)->size(), 3);
}

TEST_F(OpenDataset, ChoosesByTheUseWhereAFolderHoldsSeveral) {
  write_idx("train", 2);
  write_idx("t10k", 1);
  EXPECT_EQ(open_dataset(folder_.path(), Split::kTrain)->size(), 2);
  EXPECT_EQ(open_dataset(folder_.path(), Split::kTest)->size(), 1);
}

TEST_F(OpenDataset, ChoosesCalibrationByName) {
  write_samples("calibration.safetensors", 5);
  write_samples("inputs.safetensors", 1);
  EXPECT_EQ(open_dataset(folder_.path(), Split::kTrain)->size(), 5);
  EXPECT_EQ(error_text([&] { open_dataset(folder_.path(), Split::kTest); }),
            folder_.path() +
                ": holds calibration.safetensors, inputs.safetensors, and none of them is named as data to test "
                "with (test, t10k, val, eval)\n  to go on: name the file instead of the folder");
}

TEST_F(OpenDataset, RefusesAnAmbiguousFolder) {
  write_samples("train_a.safetensors", 1);
  write_samples("train_b.safetensors", 1);
  EXPECT_EQ(error_text([&] { open_dataset(folder_.path(), Split::kTrain); }),
            folder_.path() +
                ": holds train_a.safetensors, train_b.safetensors, and more than one of them is named as data to "
                "calibrate with (train, calib)\n  to go on: name the file instead of the folder");
}

// Two classes of four images: sorted, the first four are of one class.
class OpenImages : public OpenDataset {
 protected:
  void SetUp() override {
    for (const char* kind : {"cat", "dog"}) {
      fs::create_directory(path(kind));
      for (int i = 0; i < 4; ++i) fs::copy(test_image_path("rgb.png"), path(fmt::format("{}/{}.png", kind, i)));
    }
  }
  std::vector<int64_t> labels(std::optional<uint64_t> shuffle) const {
    const auto data = open_dataset(folder_.path(), Split::kTrain, {.images = options_, .shuffle = shuffle});
    std::vector<int64_t> labels;
    for (int64_t i = 0; i < data->size(); ++i) labels.push_back(data->sample(i).labels.item<int64_t>());
    return labels;
  }

  const ImageOptions options_ = {
      .resize = 13, .crop = ImageSize{13, 13}, .mean = {0, 0, 0}, .std = {1, 1, 1}, .channels = 3};
};

TEST_F(OpenImages, ComeShuffled) {
  // permutation(8, 0) is 2 5 0 3 4 6 1 7, as a few lines of Python say
  EXPECT_EQ(labels({}), (std::vector<int64_t>{0, 1, 0, 0, 1, 1, 0, 1}));
  EXPECT_EQ(labels(0), labels({}));
  EXPECT_NE(labels(1), labels({}));
  EXPECT_EQ(open_dataset(folder_.path(), Split::kTest, {.images = options_})->name(),
            folder_.path() + " (shuffled by seed 0)");
}

TEST_F(OpenImages, WantToKnowHowTheyAreMeant) {
  EXPECT_EQ(error_text([&] { open_dataset(folder_.path(), Split::kTrain); }),
            folder_.path() +
                ": is a folder of images, and how the program wants them prepared was not said\n"
                "  allowed here: --preprocess imagenet | inception | efficientnet-lite | clip | unit; or --mean and "
                "--std (DataOptions::images)");
  copy_numpy("labelled.npz");
  EXPECT_EQ(error_text([&] { open_dataset(path("labelled.npz"), Split::kTrain, {.images = options_}); }),
            path("labelled.npz") +
                ": is no folder of images, and is handed to the program as it is\n"
                "  to go on: leave out what prepares images: --preprocess, --resize, --crop, --mean, --std "
                "(DataOptions::images)");
}

TEST_F(OpenDataset, OtherDataComeInTheirOrderUnlessShuffled) {
  copy_numpy("labelled.npz");  // labels 3 1 0 2
  const auto label = [&](const DataOptions& options) {
    return open_dataset(path("labelled.npz"), Split::kTrain, options)->sample(0).labels.item<int64_t>();
  };
  EXPECT_EQ(label({}), 3);
  EXPECT_EQ(label({.shuffle = 0}), 0);  // permutation(4, 0) begins with 2
}

TEST_F(OpenDataset, RefusesArraysBesideImages) {
  copy_numpy("labelled.npz");
  fs::copy(test_image_path("rgb.png"), path("a.png"));
  EXPECT_EQ(error_text([&] { open_dataset(folder_.path(), Split::kTrain); }),
            folder_.path() +
                ": holds arrays (labelled.npz, …) beside images (a.png, …)\n"
                "  to go on: name the file of arrays, or move it away");
}

TEST_F(OpenDataset, RefusesWhatIsNoData) {
  const std::string kinds =
      "\n  allowed here: .safetensors, .npz, .npy, IDX images (…images…idx3…, also .gz), or a folder of .jpg, .jpeg "
      "and "
      ".png images";
  EXPECT_EQ(error_text([&] { open_dataset(folder_.path(), Split::kTrain); }),
            folder_.path() + ": no data in this folder" + kinds);
  write("picture.bmp", "BM");
  EXPECT_EQ(error_text([&] { open_dataset(path("picture.bmp"), Split::kTrain); }),
            path("picture.bmp") + ": data of an unknown kind" + kinds);
  EXPECT_EQ(error_text([&] { open_dataset(path("nowhere"), Split::kTrain); }),
            path("nowhere") + ": no such file or folder");
}

}  // namespace
}  // namespace torquant
