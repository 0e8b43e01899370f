#include "torquant/io/deflate.h"

#include <gtest/gtest.h>

#include "tests/support/zip_file.h"

namespace torquant {
namespace {

TEST(InflateRaw, UnpacksWhatZlibPacked) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += std::to_string(i * i);
  EXPECT_EQ(inflate_raw(zip_file::deflated(text), text.size()), text);
  EXPECT_EQ(inflate_raw(zip_file::deflated(""), 0), "");
  const std::string zeros(1'000'000, '\0');  // nearly the most that deflate can do
  EXPECT_EQ(inflate_raw(zip_file::deflated(zeros), zeros.size()), zeros);
}

TEST(InflateRaw, RefusesDamageAndAnotherSize) {
  const std::string packed = zip_file::deflated(std::string(300, 'x') + "end");
  EXPECT_TRUE(inflate_raw(packed, 303));
  EXPECT_FALSE(inflate_raw(packed, 302));
  EXPECT_FALSE(inflate_raw(packed, 304));
  EXPECT_FALSE(inflate_raw("", 0));
  EXPECT_FALSE(inflate_raw("\xff\xff\xff\xff", 5));
  for (size_t length = 0; length < packed.size(); ++length) EXPECT_FALSE(inflate_raw(packed.substr(0, length), 303));
}

TEST(InflateRaw, TakesNoMemoryForAnImpossibleSize) { EXPECT_FALSE(inflate_raw("abc", uint64_t{1} << 60)); }

}  // namespace
}  // namespace torquant
