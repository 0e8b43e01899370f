#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "torquant/cli/commands.h"
#include "torquant/cli/output.h"
#include "torquant/recipe/recipe.h"
#include "torquant/recipe/recipe_schema.h"

namespace torquant::cli {
namespace {

void list_recipes(bool json) {
  auto entries = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {{"recipe", "what it does", "for", "data"}};
  for (const Scheme& scheme : schemes()) {
    if (scheme.name == kFloatScheme) continue;
    entries.push_back({{"name", scheme.name},
                       {"summary", scheme.summary},
                       {"backend", scheme.backend},
                       {"needs_data", scheme.needs_data}});
    rows.push_back({scheme.name, scheme.summary, scheme.backend, scheme.needs_data ? "needed" : "none"});
  }
  if (json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"recipes", std::move(entries)}}.dump());
    return;
  }
  print_table(rows);
  fmt::print("\n`torquant recipes NAME > my.json` writes one as a file, to edit and to pass as --recipe my.json\n");
}

}  // namespace

void add_recipes(CLI::App& app, ExitCode& exit_code) {
  struct Options {
    std::string name;
    bool schema = false;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("recipes", "List the built-in recipes, or show one as a file to edit");
  CLI::Option* name = command->add_option("RECIPE", options->name, "A built-in recipe; or a file, which is checked");
  CLI::Option* json = command->add_flag("--json", options->json, "List them as one JSON object")->excludes(name);
  command->add_flag("--schema", options->schema, "Print the JSON Schema of recipe files")
      ->excludes(name)
      ->excludes(json);
  command->callback([options, &exit_code] {
    if (options->schema) {
      fmt::print("{}", recipe_schema());
    } else if (options->name.empty()) {
      list_recipes(options->json);
    } else {
      fmt::print("{}", recipe_text(load_recipe(options->name)));
    }
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
