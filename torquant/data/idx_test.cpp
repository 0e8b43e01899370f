#include "torquant/data/idx.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <string>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"

namespace torquant {
namespace {

using namespace std::string_literals;

// Three images of 2 x 2: values 0 to 11.
const std::string kImages = "\0\0\x08\x03"s + "\0\0\0\x03"s + "\0\0\0\x02"s + "\0\0\0\x02"s +
                            "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"s;
const std::string kLabels = "\0\0\x08\x01"s + "\0\0\0\x03"s + "\x07\x00\x02"s;

class Idx : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& bytes) { return folder_.write(name, bytes); }

  std::string write_gz(const std::string& name, const std::string& bytes) {
    const std::string path = folder_.path(name);
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path;
  }

  const TempFolder folder_;
};

TEST_F(Idx, ReadsPlainAndGzippedFiles) {
  const at::Tensor expected = at::arange(12, at::kByte).reshape({3, 2, 2});
  EXPECT_TRUE(read_idx(write("images", kImages)).equal(expected));
  EXPECT_TRUE(read_idx(write_gz("images.gz", kImages)).equal(expected));
}

TEST_F(Idx, SamplesArePixelsOver255WithAChannelAxis) {
  const auto data = open_idx(write_gz("images.gz", kImages), write("labels", kLabels));
  ASSERT_EQ(data->size(), 3);
  const Sample sample = data->sample(2);
  ASSERT_EQ(sample.inputs.at(0).sizes(), at::IntArrayRef({1, 1, 2, 2}));
  EXPECT_EQ(sample.inputs[0].scalar_type(), at::kFloat);
  EXPECT_EQ(sample.inputs[0].flatten()[3].item<float>(), 11.0f / 255.0f);
  EXPECT_EQ(sample.labels.item<int64_t>(), 2);
  EXPECT_FALSE(open_idx(write("images", kImages), "")->sample(0).labels.defined());
}

TEST_F(Idx, RefusesWhatIsNoIdxFile) {
  const std::string none = write("none", "GIF89a, a picture");
  EXPECT_EQ(error_text([&] { read_idx(none); }),
            none + ": not an IDX file\n  allowed here: two zero bytes, a type and a rank at the start");
  const std::string empty = write("empty", "");
  EXPECT_EQ(error_text([&] { read_idx(empty); }),
            empty + ": not an IDX file\n  allowed here: two zero bytes, a type and a rank at the start");
  const std::string floats = write("floats", "\0\0\x0d\x01\0\0\0\x01\0\0\0\0"s);
  EXPECT_EQ(error_text([&] { read_idx(floats); }),
            floats + ": IDX values of type 0x0d\n  allowed here: 0x08, unsigned bytes");
  const std::string rank = write("rank", "\0\0\x08\x09"s);
  EXPECT_EQ(error_text([&] { read_idx(rank); }), rank + ": IDX data of rank 9\n  allowed here: 1 to 8");
  EXPECT_EQ(error_text([] { read_idx("nowhere-images-idx3-ubyte"); }),
            "nowhere-images-idx3-ubyte: cannot be opened: No such file or directory");
}

TEST_F(Idx, RefusesEveryTruncation) {
  for (size_t length = 0; length < kImages.size(); ++length) {
    const std::string path = write("cut", kImages.substr(0, length));
    EXPECT_NE(error_text([&] { read_idx(path); }), "") << length << " bytes";
  }
  const std::string header = write("header", kImages.substr(0, 10));
  EXPECT_EQ(error_text([&] { read_idx(header); }), header + ": ends within its header");
  const std::string values = write("values", kImages.substr(0, 20));
  EXPECT_EQ(error_text([&] { read_idx(values); }), values + ": truncated: 4 of 12 values");
  const std::string longer = write("longer", kImages + "x");
  EXPECT_EQ(error_text([&] { read_idx(longer); }), longer + ": longer than the 12 values of its header");
}

TEST_F(Idx, RefusesACutOrDamagedGzipFile) {
  const std::string path = write_gz("whole.gz", kImages);
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::string cut = write("cut.gz", bytes.substr(0, length));
    EXPECT_NE(error_text([&] { read_idx(cut); }), "") << length << " bytes";
  }
  bytes[bytes.size() - 6] ^= 1;  // the checksum
  const std::string damaged = write("damaged.gz", bytes);
  EXPECT_EQ(error_text([&] { read_idx(damaged); }), damaged + ": cannot be read at byte 0: incorrect data check");
}

TEST_F(Idx, RefusesSizesThatNoFileCanHold) {
  const std::string huge = write("huge", "\0\0\x08\x02\x7f\xff\xff\xff\x00\x00\xff\xff"s);
  EXPECT_EQ(error_text([&] { read_idx(huge); }), huge + ": promises 140735340806145 values in a file of 12 bytes");
  const std::string overflow = write("overflow", "\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s);
  EXPECT_EQ(error_text([&] { read_idx(overflow); }), overflow + ": the sizes in its header overflow 64 bits");
  const std::string none = write("none", "\0\0\x08\x04\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s);
  EXPECT_EQ(error_text([&] { read_idx(none); }), none + ": the sizes in its header overflow 64 bits");
}

TEST_F(Idx, RefusesPairsThatDoNotFitTogether) {
  const std::string images = write("images", kImages);
  const std::string labels = write("labels", kLabels);
  const std::string two = write("two", "\0\0\x08\x01\0\0\0\x02\x01\x02"s);
  EXPECT_EQ(error_text([&] { open_idx(images, two); }), two + ": 2 labels for the 3 images of " + images);
  EXPECT_EQ(error_text([&] { open_idx(labels, labels); }),
            labels + ": IDX data of rank 1\n  allowed here: rank 3: images, rows, columns");
  EXPECT_EQ(error_text([&] { open_idx(images, images); }),
            images + ": IDX data of rank 3\n  allowed here: rank 1: a label an image");
  const std::string no_images = write("no_images", "\0\0\x08\x03\0\0\0\0\0\0\0\x02\0\0\0\x02"s);
  EXPECT_EQ(error_text([&] { open_idx(no_images, ""); }), no_images + ": holds no sample");
}

}  // namespace
}  // namespace torquant
