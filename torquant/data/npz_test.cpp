#include "torquant/data/npz.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "tests/support/zip_file.h"
#include "torquant/data/npy.h"

namespace torquant {
namespace {

// Made by NumPy: tests/data/numpy/make.py says what each file holds.
std::string numpy(const std::string& name) { return TORQUANT_TEST_DATA "/numpy/" + name; }

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Npz, ReadsStoredAndDeflatedArrays) {
  for (const char* name : {"labelled.npz", "labelled_compressed.npz"}) {
    const auto data = open_npz(numpy(name));
    ASSERT_EQ(data->size(), 4);
    const Sample sample = data->sample(1);
    ASSERT_EQ(sample.inputs.size(), 2U);
    EXPECT_EQ(sample.inputs[0].size(0), 1);
    EXPECT_EQ(sample.inputs[0].flatten()[0].item<float>(), 6.0f);
    EXPECT_TRUE(sample.inputs[1].equal(at::arange(5, 10).reshape({1, 5})));
    EXPECT_EQ(sample.labels.item<int64_t>(), 1);
  }
  EXPECT_FALSE(open_npz(numpy("unlabelled.npz"))->sample(0).labels.defined());
}

TEST(Npz, RefusesArraysThatAreNoDataset) {
  EXPECT_EQ(
      error_text([] { open_npz(numpy("gap.npz")); }),
      numpy("gap.npz") + ": holds the arrays x0, x2\n  allowed here: x0, x1, … without a gap (inputs) and y (labels)");
  EXPECT_EQ(error_text([] { open_npz(numpy("label_count.npz")); }),
            numpy("label_count.npz") + ": 3 labels for 4 samples");
  EXPECT_EQ(error_text([] { open_npz(numpy("row_count.npz")); }),
            numpy("row_count.npz") + ": x1 holds 2 samples, x0 holds 4");
}

TEST(Npz, KeepsNamesAsTheyAre) {
  const TempFolder folder;
  const std::string array = bytes_of(numpy("float32.npy"));
  const std::string path = folder.write(
      "named.npz", zip_file::zip_of({zip_file::stored("net/x0.npy", array), zip_file::packed("net/x1.npy", array)}));
  const auto arrays = read_npz(path);
  ASSERT_EQ(arrays.size(), 2u);
  EXPECT_TRUE(arrays.at("net/x0").equal(read_npy(numpy("float32.npy"))));
  EXPECT_TRUE(arrays.at("net/x1").equal(arrays.at("net/x0")));
}

TEST(Npz, RefusesWhatIsNoArray) {
  const TempFolder folder;
  const auto error_of = [&](const std::vector<zip_file::Entry>& entries) {
    const std::string path = folder.write("bad.npz", zip_file::zip_of(entries));
    const std::string text = error_text([&] { read_npz(path); });
    return text.substr(std::min(text.size(), path.size() + 2));
  };
  EXPECT_EQ(error_of({zip_file::stored("readme.txt", "x")}),
            "readme.txt: is no array\n  allowed here: members that end in .npy");
  EXPECT_EQ(error_of({zip_file::stored("x0.npy", "x")}),
            "x0.npy: not a NumPy array\n  allowed here: \\x93NUMPY at the start");
  const std::string array = bytes_of(numpy("float32.npy"));
  EXPECT_EQ(error_of({zip_file::stored("x0.npy", array + "1234")}),
            "x0.npy: 52 bytes of values, shape [3, 4] of Float needs 48");
  EXPECT_EQ(error_of({zip_file::stored("x0.npy", array), zip_file::stored("x0.npy", array)}),
            "corrupted: two members are named x0.npy");
  EXPECT_EQ(error_of({}), "an empty zip archive");
  EXPECT_EQ(error_text([] { read_npz("nowhere.npz"); }), "nowhere.npz: cannot be opened: No such file or directory");
  zip_file::Entry bomb = zip_file::packed("x0.npy", array);
  bomb.size = uint64_t{1} << 40;
  bomb.zip64 = true;
  EXPECT_NE(error_of({bomb}).find("corrupted: member x0.npy has 1099511627776 bytes packed"), std::string::npos);
}

TEST(Npz, RefusesEveryTruncationAndDamagedValues) {
  const TempFolder folder;
  const std::string whole = bytes_of(numpy("labelled.npz"));
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::string cut = folder.write("cut.npz", whole.substr(0, length));
    EXPECT_NE(error_text([&] { read_npz(cut); }), "") << length << " bytes";
  }
  const std::string none = folder.write("none.npz", "not a zip archive");
  EXPECT_EQ(error_text([&] { read_npz(none); }), none + ": not a zip archive: the file has 17 bytes");
  std::string damaged = whole;
  damaged[200] ^= 1;  // within the values of x0
  const std::string path = folder.write("damaged.npz", damaged);
  EXPECT_EQ(error_text([&] { read_npz(path); }).substr(0, path.size() + 38),
            path + ": corrupted: member x0.npy has CRC-32 ");
}

}  // namespace
}  // namespace torquant
