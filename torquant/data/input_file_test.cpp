#include "torquant/data/input_file.h"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"
#include "torquant/core/error.h"

namespace torquant {
namespace {

TEST(InputFile, SaysHowManyBytesThereAre) {
  const TempFolder folder;
  EXPECT_EQ(input_file_bytes(folder.write("five", "12345")), 5);
}

TEST(InputFile, RefusesWhatIsNoFile) {
  EXPECT_THROW(input_file_bytes(testing::TempDir()), Error);
  try {
    input_file_bytes("nowhere/x.npy");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "nowhere/x.npy: cannot be read: No such file or directory\n  allowed here: a file");
  }
}

}  // namespace
}  // namespace torquant
