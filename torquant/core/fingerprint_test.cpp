#include "torquant/core/fingerprint.h"

#include <gtest/gtest.h>

#include <set>

namespace torquant {
namespace {

TEST(Fingerprint, TellsContentsLengthsAndPartsApart) {
  const std::set<std::string> texts = {
      Fingerprint().text(),
      Fingerprint().add("").text(),
      Fingerprint().add(std::string_view("\0", 1)).text(),
      Fingerprint().add("abc").text(),
      Fingerprint().add("ab").add("c").text(),
      Fingerprint().add("a").add("bc").text(),
      Fingerprint().add("abcdefghi").text(),
      Fingerprint().add("abcdefghj").text(),
      Fingerprint().add("bbcdefghi").text(),
  };
  EXPECT_EQ(texts.size(), 9U);
}

TEST(Fingerprint, IsTheSameInEveryVersion) {
  EXPECT_EQ(Fingerprint().text(), "0000000000000000");
  // By hand, in 64 bits: h = 1 * k; h ^= h >> 32, with k = 9e3779b97f4a7c15.
  EXPECT_EQ(Fingerprint().add("").text(), "9e3779b9e17d05ac");
  EXPECT_EQ(Fingerprint().add("torquant").text(), Fingerprint().add(std::string("torquant")).text());
}

}  // namespace
}  // namespace torquant
