#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "torquant/cli/commands.h"
#include "torquant/cli/layers.h"
#include "torquant/core/error.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/prepare.h"
#include "torquant/recipe/recipe.h"

namespace torquant::cli {

void add_plan(CLI::App& app, ExitCode& exit_code) {
  struct Options {
    std::string program, recipe;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("plan", "Show what a recipe does to each layer; needs no data, writes nothing");
  command->add_option("PROGRAM", options->program, "A .pt2 archive")->required();
  command->add_option("--recipe", options->recipe, "A name that `torquant recipes` lists, or a JSON file")->required();
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &exit_code] {
    const at::NoGradGuard no_grad;
    RecipeQuantizer quantizer(load_recipe(options->recipe));
    const PreparedProgram prepared = prepare_pt2e(load_pt2(options->program), quantizer);
    const QuantizationReport& report = prepared.report();
    if (options->json) {
      fmt::print("{}\n", to_json(report, quantizer).dump());
    } else {
      print_layers(report, quantizer);
      fmt::print("\n");
      print_rules(quantizer);
      fmt::print("quantized: {}\n", summary(report));
      for (const Refusal& refusal : report.refusals) fmt::print("note: {}: {}\n", refusal.node, refusal.reason);
      if (const size_t missing = shortfall(report, quantizer).size(); missing > 0) {
        fmt::print("{} of the layers asked for stay in float: `quantize` wants --allow-partial\n", missing);
      }
    }
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
