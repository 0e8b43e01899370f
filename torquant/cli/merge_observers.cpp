#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "torquant/cli/commands.h"
#include "torquant/cli/output.h"
#include "torquant/pt2e/observer_statistics.h"

namespace torquant::cli {

void add_merge_observers(CLI::App& app, ExitCode& exit_code) {
  struct Options {
    std::vector<std::string> parts;
    std::string output;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("merge-observers", "Merge what observers saw of parts of the data, in the order given");
  command->add_option("FILE", options->parts, "Files of `torquant quantize … --save-observers`")
      ->required()
      ->expected(2, 1'000'000);
  command->add_option("-o,--output", options->output, "The file to write, for `torquant quantize … --observers`")
      ->required();
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &exit_code] {
    std::vector<ObserverStatistics> parts;
    for (const std::string& path : options->parts) parts.push_back(load_statistics(path));
    const ObserverStatistics merged = merge_statistics(parts, options->parts);
    save_statistics(merged, options->output);
    if (options->json) {
      const nlohmann::ordered_json result = {{"output", options->output},
                                             {"files", parts.size()},
                                             {"observers", merged.observers.size()},
                                             {"samples", merged.samples}};
      fmt::print("{}\n", result.dump());
    } else {
      fmt::print("{}: {} observers, {} samples of {} files\n", options->output, merged.observers.size(),
                 with_commas(merged.samples), parts.size());
    }
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
