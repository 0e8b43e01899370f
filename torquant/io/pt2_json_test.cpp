#include "torquant/io/pt2_json.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/error_text.h"

namespace torquant::pt2 {
namespace {

TEST(Pt2Json, ReadsTypedMembers) {
  const Json json = Json::parse(R"({"i": -3, "b": true, "s": "text", "u": {"as_int": 4}, "l": [1, 2]})");
  EXPECT_EQ(int_at(json, "i"), -3);
  EXPECT_TRUE(bool_at(json, "b"));
  EXPECT_EQ(string_at(json, "s"), "text");
  const auto [tag, value] = union_of(member(json, "u"));
  EXPECT_EQ(tag, "as_int");
  EXPECT_EQ(value, 4);
  EXPECT_EQ(tagged("as_int", 4), member(json, "u"));
  EXPECT_EQ(read_list<int64_t>(member(json, "l"), to_int), (std::vector<int64_t>{1, 2}));
}

TEST(Pt2Json, DoublesThatJsonLacksAreWords) {
  constexpr double kInfinity = INFINITY;
  for (const double value : {0.5, kInfinity, -kInfinity}) EXPECT_EQ(to_double(from_double(value)), value);
  EXPECT_EQ(from_double(-INFINITY), "-Infinity");
  EXPECT_TRUE(std::isnan(to_double(from_double(NAN))));
  EXPECT_EQ(to_double(3), 3.0);
}

TEST(Pt2Json, ErrorsQuoteWhatWasFound) {
  EXPECT_EQ(error_text([] { member(Json::parse("[1]"), "a"); }), "expected an object with \"a\", found [1]");
  EXPECT_EQ(error_text([] { member(Json::parse("{\"b\":1}"), "a"); }), "\"a\" is missing in {\"b\":1}");
  EXPECT_EQ(error_text([] { union_of(Json::parse("{}")); }), "expected an object of one member, found {}");
  EXPECT_EQ(error_text([] { to_int("x"); }), "expected an integer, found \"x\"");
  EXPECT_EQ(error_text([] { to_int(UINT64_MAX); }), "integer 18446744073709551615 does not fit 64 bits");
  EXPECT_EQ(error_text([] { to_bool(1); }), "expected true or false, found 1");
  EXPECT_EQ(error_text([] { to_text(1); }), "expected a string, found 1");
  EXPECT_EQ(error_text([] { to_double("fast"); }), "expected a number, found \"fast\"");
  EXPECT_EQ(error_text([] { read_list<int64_t>(3, to_int); }), "expected a list, found 3");
  EXPECT_EQ(quote(std::string(200, 'x')), "\"" + std::string(116, 'x') + "...");
}

}  // namespace
}  // namespace torquant::pt2
