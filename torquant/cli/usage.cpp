#include "torquant/cli/usage.h"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

#include "torquant/graph/parse_number.h"

namespace torquant::cli {

CLI::Validator at_least_one() {
  const auto check = [](const std::string& text) {
    return parse_number<int64_t>(text).value_or(0) >= 1 ? "" : text + " is not a whole number from 1";
  };
  return {check, "FROM 1", "at_least_one"};
}

std::string usage_error_text(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::vector<std::string> unknown = app.remaining();
  std::string what = error.what();
  if (chosen.empty()) what = unknown.empty() ? "no command is given" : fmt::format("\"{}\" is no command", unknown[0]);
  return fmt::format("{}\n  to go on: see `{} {}--help`", what, app.get_name(),
                     chosen.empty() ? "" : chosen[0]->get_name() + " ");
}

}  // namespace torquant::cli
