#include "torquant/cli/output.h"

#include <gtest/gtest.h>

namespace torquant::cli {
namespace {

TEST(Output, NumbersHaveCommas) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(-123456), "-123,456");
}

TEST(Output, BytesHaveDecimalUnits) {
  EXPECT_EQ(bytes_text(312), "312 bytes");
  EXPECT_EQ(bytes_text(12'345), "12.3 kB");
  EXPECT_EQ(bytes_text(4'650'000), "4.65 MB");
  EXPECT_EQ(bytes_text(2'000'000'000), "2.00 GB");
}

TEST(Output, TablesAlignTheirColumns) {
  EXPECT_EQ(table({{"layer", "op"}, {"é", "linear"}}),
            (std::vector<std::string>{"layer  op", "-----  ------", "é      linear"}));
}

}  // namespace
}  // namespace torquant::cli
