#include "torquant/core/atomic_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/temp_folder.h"
#include "torquant/core/error.h"

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
  try {
    AtomicFile file(bad);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), bad);
    EXPECT_EQ(error.reason(), "cannot create the file: No such file or directory");
  }
}

}  // namespace
}  // namespace torquant
