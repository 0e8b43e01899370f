#include "torquant/cli/usage.h"

#include <gtest/gtest.h>

namespace torquant::cli {
namespace {

std::string error_of(const std::string& arguments) {
  CLI::App app("", "tool");
  app.require_subcommand(1);
  CLI::App* bake = app.add_subcommand("bake");
  int64_t minutes = 0;
  bake->add_option("--minutes", minutes)->check(at_least_one())->required();
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return usage_error_text(app, error);
  }
  return "";
}

TEST(Usage, NamesWhatIsWrongAndTheHelpToRead) {
  EXPECT_EQ(error_of("bake --minutes 1"), "");
  EXPECT_EQ(error_of(""), "no command is given\n  to go on: see `tool --help`");
  EXPECT_EQ(error_of("fry --minutes 1"), "\"fry\" is no command\n  to go on: see `tool --help`");
  EXPECT_EQ(error_of("bake"), "--minutes is required\n  to go on: see `tool bake --help`");
  EXPECT_EQ(error_of("bake --minutes 1 --hot"),
            "The following argument was not expected: --hot\n  to go on: see `tool bake --help`");
}

TEST(Usage, CountsAreWholeNumbersFrom1) {
  for (const std::string number : {"0", "-3", "1.5", "ten", "99999999999999999999"}) {
    EXPECT_EQ(error_of("bake --minutes=" + number),
              "--minutes: " + number + " is not a whole number from 1\n  to go on: see `tool bake --help`");
  }
}

}  // namespace
}  // namespace torquant::cli
