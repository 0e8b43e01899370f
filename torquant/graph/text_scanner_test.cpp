#include "torquant/graph/text_scanner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/error_text.h"

namespace torquant::text {
namespace {

TEST(TextScanner, BlanksAndCommentsStandBetweenWords) {
  Scanner scan("  one # not two, three\n\t[four-4.5]\r\n# the end");
  EXPECT_EQ(scan.word(), "one");
  EXPECT_FALSE(scan.take_word("four"));
  EXPECT_TRUE(scan.take('['));
  EXPECT_EQ(scan.found(), "'four-4.5'");
  EXPECT_FALSE(scan.take_word("four"));
  EXPECT_TRUE(scan.take_word("four-4.5"));
  EXPECT_EQ(scan.word(), "");
  EXPECT_EQ(scan.found(), "']'");
  scan.expect(']');
  EXPECT_TRUE(scan.at_end());
  EXPECT_EQ(scan.peek(), '\0');
  EXPECT_EQ(scan.found(), "the end");
}

TEST(TextScanner, NamesAreQuotedWhereTheyHaveOtherCharacters) {
  for (const std::string name : {"a", "layer1.0", "odd name", "", "a-b", "say \"hi\" \\ \n \x01\x7f", "größe"}) {
    const std::string text = name_text(name);
    Scanner scan(text);
    EXPECT_EQ(scan.name(), name);
    EXPECT_TRUE(scan.at_end()) << text;
  }
  EXPECT_EQ(name_text("layer1.0"), "layer1.0");
  EXPECT_EQ(name_text("a-b"), "\"a-b\"");
  EXPECT_EQ(in_quotes("\"\\\n\x01"), R"("\"\\\n\x01")");
}

TEST(TextScanner, NumbersReadBack) {
  const std::vector<double> values = {
      1.0, -0.0, 0.1, 1e-5, 1e20, -1.5e-300, std::numeric_limits<double>::max(), INFINITY, -INFINITY};
  for (const double value : values) {
    const std::string text = float_text(value);
    const auto number = Scanner(text).take_number();
    ASSERT_TRUE(number) << text;
    EXPECT_EQ(std::get<double>(*number), value) << text;
  }
  EXPECT_EQ(float_text(1), "1.0");
  EXPECT_TRUE(std::isnan(std::get<double>(*Scanner(float_text(NAN)).take_number())));
  EXPECT_EQ(std::get<int64_t>(*Scanner("-7").take_number()), -7);
  EXPECT_EQ(std::get<double>(*Scanner("9223372036854775808").take_number()), 9223372036854775808.0);
  Scanner word("none + 1");
  EXPECT_FALSE(word.take_number());
  EXPECT_EQ(word.word(), "none");
}

TEST(TextScanner, AListEndsWhereItSays) {
  const auto words = [](std::string_view text) {
    Scanner scan(text);
    std::vector<std::string> items;
    scan.items_until(')', [&] { items.push_back(scan.name()); });
    EXPECT_TRUE(scan.at_end());
    return items;
  };
  EXPECT_EQ(words(")"), std::vector<std::string>{});
  EXPECT_EQ(words("a, b , c)"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(error_text([&] { words("a b)"); }), "line 1, column 3: expected ',', found 'b'");
  EXPECT_EQ(error_text([&] { words("a, )"); }), "line 1, column 4: expected a name, found ')'");
}

TEST(TextScanner, AnExpressionEndsAtASeparatorOfItsLevel) {
  Scanner scan("Max(2, s0) + 1, 3");
  EXPECT_EQ(scan.until_separator(), "Max(2, s0) + 1");
  EXPECT_TRUE(scan.take(','));
  EXPECT_EQ(scan.until_separator(), "3");
}

TEST(TextScanner, ErrorsNameLineAndColumn) {
  const auto error = [](std::string_view text, auto read) {
    Scanner scan(text);
    return error_text([&] { read(scan); });
  };
  EXPECT_EQ(error("\n  7", [](Scanner& scan) { scan.expect('('); }), "line 2, column 3: expected '(', found '7'");
  EXPECT_EQ(error(" maybe", [](Scanner& scan) { scan.boolean(); }),
            "line 1, column 2: expected true or false, found 'maybe'");
  EXPECT_EQ(error("99999999999999999999", [](Scanner& scan) { scan.integer(); }),
            "line 1, column 1: expected a 64-bit integer, found '99999999999999999999'");
  EXPECT_EQ(error("x", [](Scanner& scan) { scan.quoted(); }), "line 1, column 1: expected '\"', found 'x'");
  EXPECT_EQ(error(" \"abc", [](Scanner& scan) { scan.quoted(); }), "line 1, column 2: a string without an end");
  for (const char* text : {R"("a\q")", R"("a\x1")", R"("a\xg0")"}) {
    EXPECT_EQ(error(text, [](Scanner& scan) { scan.quoted(); }),
              "line 1, column 4: unknown escape in a string\n  allowed here: \\n \\\" \\\\ \\xHH")
        << text;
  }
}

}  // namespace
}  // namespace torquant::text
