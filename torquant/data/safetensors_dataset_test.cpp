#include "torquant/data/safetensors_dataset.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "torquant/io/safetensors.h"

namespace torquant {
namespace {

at::Tensor filled(double value) { return at::full({1, 2}, value); }
at::Tensor label(int64_t value) { return at::full({1}, value, at::kLong); }

class SafetensorsDataset : public testing::Test {
 protected:
  std::string write(const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
    const std::string path = folder_.path("data.safetensors");
    save_safetensors(path, tensors);
    return path;
  }

  const TempFolder folder_;
};

TEST_F(SafetensorsDataset, SamplesComeInTheOrderOfTheirNumbers) {
  const auto data = open_safetensors_dataset(write({{"10.x0", filled(10)}, {"9.x0", filled(9)}, {"2.x0", filled(2)}}));
  ASSERT_EQ(data->size(), 3);
  EXPECT_TRUE(data->sample(0).inputs.at(0).equal(filled(2)));
  EXPECT_TRUE(data->sample(1).inputs.at(0).equal(filled(9)));
  EXPECT_TRUE(data->sample(2).inputs.at(0).equal(filled(10)));
  EXPECT_FALSE(data->sample(0).labels.defined());
}

TEST_F(SafetensorsDataset, SampleNamesMayBeAnything) {
  const auto data = open_safetensors_dataset(
      write({{"cat.10.x0", filled(4)}, {"cat.9.x0", filled(3)}, {"cat.x0", filled(2)}, {"1.x0", filled(1)}}));
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(data->sample(i).inputs.at(0).equal(filled(static_cast<double>(i) + 1))) << i;
  }
}

TEST_F(SafetensorsDataset, InputsComeInTheOrderOfTheirNumbers) {
  std::vector<std::pair<std::string, at::Tensor>> tensors = {{"a.y", label(3)}};
  for (int i = 10; i >= 0; --i) tensors.emplace_back("a.x" + std::to_string(i), filled(i));
  const Sample sample = open_safetensors_dataset(write(tensors))->sample(0);
  ASSERT_EQ(sample.inputs.size(), 11U);
  for (size_t i = 0; i < 11; ++i) EXPECT_TRUE(sample.inputs[i].equal(filled(static_cast<double>(i)))) << i;
  EXPECT_EQ(sample.labels.item<int64_t>(), 3);
}

TEST_F(SafetensorsDataset, RefusesSamplesThatLackSomething) {
  const std::string gap = write({{"0.x0", filled(0)}, {"0.x1", filled(0)}, {"1.x1", filled(0)}});
  EXPECT_EQ(error_text([&] { open_safetensors_dataset(gap); }), gap + ": sample 1: has no 1.x0");
  const std::string fewer = write({{"0.x0", filled(0)}, {"0.x1", filled(0)}, {"1.x0", filled(0)}});
  EXPECT_EQ(error_text([&] { open_safetensors_dataset(fewer); }), fewer + ": sample 1: has no 1.x1");
  const std::string more = write({{"0.x0", filled(0)}, {"1.x0", filled(0)}, {"1.x1", filled(0)}});
  EXPECT_EQ(error_text([&] { open_safetensors_dataset(more); }), more + ": sample 1: has 2 inputs, sample 0 has 1");
  const std::string no_label = write({{"0.x0", filled(0)}, {"0.y", label(1)}, {"1.x0", filled(0)}});
  EXPECT_EQ(error_text([&] { open_safetensors_dataset(no_label); }),
            no_label + ": sample 1: has no labels, sample 0 has labels");
  const std::string only_label = write({{"0.x0", filled(0)}, {"1.y", label(1)}});
  EXPECT_EQ(error_text([&] { open_safetensors_dataset(only_label); }), only_label + ": sample 1: has no 1.x0");
}

TEST_F(SafetensorsDataset, RefusesOtherNames) {
  for (const char* name : {"x0", "weight", "0.x", "0.z0", "0.x0.scale"}) {
    const std::string path = write({{name, filled(0)}});
    EXPECT_EQ(error_text([&] { open_safetensors_dataset(path); }),
              path + ": tensor \"" + name +
                  "\" belongs to no sample\n  allowed here: <sample>.x<input>, as in 0.x0, and <sample>.y for labels");
  }
  const std::string empty = write({});
  EXPECT_EQ(error_text([&] { open_safetensors_dataset(empty); }), empty + ": holds no sample");
}

TEST_F(SafetensorsDataset, RefusesLabelsThatAreNoClassNumbers) {
  const std::string path = write({{"0.x0", filled(0)}, {"0.y", filled(0.5)}});
  const auto data = open_safetensors_dataset(path);
  EXPECT_EQ(error_text([&] { data->sample(0); }),
            path + ": 0.y: labels of dtype Float\n  allowed here: an integer dtype: class numbers from 0");
}

}  // namespace
}  // namespace torquant
