#include "torquant/io/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"

namespace torquant {
namespace {

std::string error_of(const std::string& path) {
  return error_text([&] { MappedFile file(path); });
}

TEST(MappedFile, HoldsTheBytesOfTheFile) {
  const TempFolder folder;
  const MappedFile file(folder.write("hello", std::string("hel\0lo", 6)));
  EXPECT_EQ(file.bytes(), std::string_view("hel\0lo", 6));
  EXPECT_TRUE(MappedFile(folder.write("empty", "")).bytes().empty());
}

TEST(MappedFile, OutlivesTheNameOfTheFile) {
  const TempFolder folder;
  const MappedFile file(folder.write("hello", "hello"));
  std::filesystem::remove(folder.path("hello"));
  EXPECT_EQ(file.bytes(), "hello");
}

TEST(MappedFile, WritingToItLeavesTheFileAlone) {
  const TempFolder folder;
  const MappedFile file(folder.write("hello", "hello"));
  const_cast<char*>(file.bytes().data())[0] = 'J';
  EXPECT_EQ(file.bytes(), "Jello");
  EXPECT_EQ(MappedFile(folder.path("hello")).bytes(), "hello");
}

TEST(MappedFile, RefusesWhatIsNoFile) {
  const TempFolder folder;
  EXPECT_EQ(error_of(folder.path("none")), folder.path("none") + ": cannot be opened: No such file or directory");
  EXPECT_EQ(error_of(folder.path()), folder.path() + ": is a folder\n  allowed here: a file");
  ASSERT_EQ(mkfifo(folder.path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of(folder.path("pipe")), folder.path("pipe") + ": is not a regular file\n  allowed here: a file");
}

TEST(MappedFile, RefusesAFileWithoutPermission) {
  if (geteuid() == 0) GTEST_SKIP() << "the superuser may read every file";
  const TempFolder folder;
  const std::string path = folder.write("secret", "secret");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  EXPECT_EQ(error_of(path), path + ": cannot be opened: Permission denied");
}

}  // namespace
}  // namespace torquant
