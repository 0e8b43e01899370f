#include "torquant/graph/parse_number.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace torquant {
namespace {

TEST(ParseNumber, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(parse_number<int64_t>("-12"), -12);
  EXPECT_EQ(parse_number<int64_t>("9223372036854775807"), 9223372036854775807);
  EXPECT_EQ(parse_number<double>("1e-05"), 1e-5);
  for (const char* text : {"", "-", "x", "1x", "1.5", " 1", "9223372036854775808"}) {
    EXPECT_EQ(parse_number<int64_t>(text), std::nullopt) << text;
  }
  for (const char* text : {"", "1.5.2", "1e400"}) EXPECT_EQ(parse_number<double>(text), std::nullopt) << text;
}

}  // namespace
}  // namespace torquant
