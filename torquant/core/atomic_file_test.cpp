#include "torquant/core/atomic_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/error_text.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/temp_folder.h"

namespace torquant {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  std::string path() const { return folder_.path("x.bin"); }
  std::string content() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  size_t files() const { return std::distance(fs::directory_iterator(folder_.path()), {}); }

  const TempFolder folder_;
};

TEST_F(AtomicFileTest, AppearsOnCommitAlone) {
  {
    AtomicFile file(path());
    file.write("abc", 3);
    EXPECT_FALSE(fs::exists(path()));
    file.commit();
  }
  EXPECT_EQ(content(), "abc");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, WithoutCommitTheOldFileStaysAndNoTemporaryIsLeft) {
  std::ofstream(path()) << "old";
  {
    AtomicFile file(path());
    file.write("new", 3);
  }
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, NamesThePathThatCannotBeWritten) {
  const std::string bad = folder_.path("none/x.bin");
  EXPECT_EQ(error_text([&] { AtomicFile file(bad); }),
            bad + ": cannot be written: folder " + folder_.path("none") +
                ": No such file or directory\n  to go on: give a path in an existing folder that you may write to");
}

// A rename over a folder fails, and one over a device would replace it.
TEST_F(AtomicFileTest, RefusesWhatIsNoRegularFile) {
  EXPECT_EQ(error_text([&] { AtomicFile file(folder_.path()); }),
            folder_.path() + ": cannot be written: it is a folder\n  to go on: give the path of a file");
  EXPECT_EQ(error_text([] { AtomicFile file("/dev/null"); }),
            "/dev/null: cannot be written: it is not a regular file\n  to go on: give the path of a file");
}

TEST_F(AtomicFileTest, AFullDiskLeavesTheOldFileAndNoOther) {
  std::ofstream(path()) << "old";
  const std::string error = error_text([&] {
    const FileSizeLimit limit(1000);
    AtomicFile file(path());
    const std::string bytes(4000, 'x');
    file.write(bytes.data(), bytes.size());
    file.commit();
  });
  EXPECT_EQ(error,
            path() + ": cannot write the file: File too large\n  to go on: a file that was there before is unchanged");
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, TakesOverThePartialFileOfAKilledProcess) {
  std::ofstream(path() + ".torquant-partial") << "half of something longer";
  AtomicFile file(path());
  EXPECT_EQ(files(), 1u);
  file.write("new", 3);
  file.commit();
  EXPECT_EQ(content(), "new");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, TwoWritersHaveAPartialFileEachAndTheLastWins) {
  AtomicFile first(path());
  AtomicFile second(path());
  first.write("first", 5);
  second.write("second", 6);
  second.commit();
  EXPECT_EQ(content(), "second");
  first.commit();
  EXPECT_EQ(content(), "first");
  EXPECT_EQ(files(), 1u);
}

// Whoever may write to the folder could lead us elsewhere.
TEST_F(AtomicFileTest, FollowsNoLinkInThePlaceOfAPartialFile) {
  const std::string precious = folder_.write("precious", "mine");
  fs::create_symlink(precious, path() + ".torquant-partial");
  fs::create_hard_link(precious, path() + ".torquant-partial1");
  AtomicFile file(path());
  file.write("new", 3);
  file.commit();
  EXPECT_EQ(content(), "new");
  EXPECT_EQ(fs::file_size(precious), 4u);
}

TEST_F(AtomicFileTest, SaysWhenAllPartialFilesAreTaken) {
  for (int i = 0; i < 100; ++i) fs::create_directory(path() + ".torquant-partial" + (i == 0 ? "" : std::to_string(i)));
  EXPECT_EQ(error_text([&] { AtomicFile file(path()); }),
            path() +
                ": cannot be written: the partial files beside it (x.bin.torquant-partial, …) belong to others\n  "
                "to go on: remove them, if nothing writes them any more");
}

}  // namespace
}  // namespace torquant
