#include "torquant/data/exif.h"

#include <gtest/gtest.h>

#include <string>

namespace torquant {
namespace {

using namespace std::string_literals;

const std::string kHead = "Exif\0\0"s;
// A directory at 8 of two entries: a maker (0x010f, a text), and an orientation (0x0112, type 3) of 6.
const std::string kLittle =
    "II\x2a\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x04\0\0\0abc\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"s;
const std::string kBig =
    "MM\0\x2a\0\0\0\x08\0\x02\x01\x0f\0\x02\0\0\0\x04"s + "abc\0\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"s;

TEST(Exif, ReadsTheOrientationInBothByteOrders) {
  EXPECT_EQ(exif_orientation(kHead + kLittle), 6);
  EXPECT_EQ(exif_orientation(kHead + kBig), 6);
}

TEST(Exif, WhatDoesNotSayIsUpright) {
  EXPECT_EQ(exif_orientation(""), 1);
  EXPECT_EQ(exif_orientation(kHead), 1);
  EXPECT_EQ(exif_orientation(kLittle), 1);
  const auto changed = [](size_t at, char value) {
    std::string bytes = kHead + kLittle;
    bytes[kHead.size() + at] = value;
    return exif_orientation(bytes);
  };
  EXPECT_EQ(changed(0, 'X'), 1);     // byte order
  EXPECT_EQ(changed(2, 43), 1);      // magic
  EXPECT_EQ(changed(7, '\x7f'), 1);  // the directory lies behind the end
  EXPECT_EQ(changed(8, 1), 1);       // one entry
  EXPECT_EQ(changed(24, 4), 1);      // type
  EXPECT_EQ(changed(30, 0), 1);      // value
  EXPECT_EQ(changed(30, 9), 1);
}

TEST(Exif, ACutBlockIsUprightOrWhole) {
  const std::string block = kHead + kLittle;
  for (size_t bytes = 0; bytes < block.size(); ++bytes) {
    EXPECT_EQ(exif_orientation(std::string_view(block).substr(0, bytes)), bytes < kHead.size() + 32 ? 1 : 6) << bytes;
  }
}

}  // namespace
}  // namespace torquant
