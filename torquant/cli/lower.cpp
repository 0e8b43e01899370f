#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "torquant/cli/commands.h"
#include "torquant/cli/inputs.h"
#include "torquant/cli/interrupt.h"
#include "torquant/cli/output.h"
#include "torquant/core/atomic_file.h"
#include "torquant/core/error.h"
#include "torquant/format/describe.h"
#include "torquant/format/tqm_file.h"
#include "torquant/io/pt2.h"
#include "torquant/lower/runtime.h"

namespace torquant::cli {
namespace {

// The nodes that compute in float, with what each has of all the numbers that nodes give for an image.
nlohmann::ordered_json float_nodes(const format::Model& model) {
  nlohmann::ordered_json nodes = nlohmann::ordered_json::array();
  int64_t all = 0;
  for (const format::Node& node : model.nodes) all += elements_of(model, node.operation);
  for (const format::Node& node : model.nodes) {
    if (!computes_in_float(node.operation)) continue;
    const int64_t numbers = elements_of(model, node.operation);
    nodes.push_back({{"name", node.name},
                     {"operation", full_name(node.operation)},
                     {"numbers", numbers},
                     {"percent", 100 * static_cast<double>(numbers) / static_cast<double>(all)}});
  }
  return nodes;
}

// A line for each kind of node, with the first two by name.
void print_float_nodes(const nlohmann::ordered_json& nodes) {
  struct Kind {
    std::vector<std::string> names;
    double percent = 0;
  };
  std::map<std::string, Kind> kinds;
  for (const auto& node : nodes) {
    Kind& kind = kinds[node["operation"].get<std::string>()];
    kind.names.push_back(node["name"].get<std::string>());
    kind.percent += node["percent"].get<double>();
  }
  for (auto& [operation, kind] : kinds) {
    const size_t count = kind.names.size();
    if (count > 2) kind.names.resize(2);
    fmt::print("  {} {}, {:.2f} % of all numbers: {}{}\n", count, operation, kind.percent, fmt::join(kind.names, ", "),
               count > 2 ? ", …" : "");
  }
}

}  // namespace

void add_lower(CLI::App& app, ExitCode& exit_code) {
  struct Options {
    std::string program, output;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("lower", "Make a model for the runtime of a program");
  command
      ->add_option("PROGRAM", options->program, "A .pt2 archive: one that `torquant quantize` wrote, or one in float")
      ->required();
  command->add_option("-o,--output", options->output, "The .tqm to write")->required();
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &exit_code] {
    check_output_path(options->output);
    RuntimeModel lowered;
    try {
      lowered = lower_to_runtime(load_pt2(options->program), fingerprint_of_file(options->program));
    } catch (const Error& error) {
      throw error.within(options->program);
    }
    const Result<std::string> bytes = format::write_tqm(lowered.model);
    if (!bytes.ok()) throw Error(bytes.error()).within(options->output);
    const InterruptGuard whole_file;
    AtomicFile file(options->output);
    file.write(bytes->data(), bytes->size());
    file.commit();
    const size_t nodes = lowered.model.nodes.size();
    const nlohmann::ordered_json in_float = float_nodes(lowered.model);
    if (options->json) {
      const nlohmann::ordered_json result = {{"output", options->output},
                                             {"bytes", bytes->size()},
                                             {"nodes", nodes},
                                             {"batch", {lowered.model.least_batch, lowered.model.most_batch}},
                                             {"length", {lowered.model.least_length, lowered.model.most_length}},
                                             {"in_float", in_float}};
      fmt::print("{}\n", result.dump());
    } else {
      fmt::print("{}: {}, {} nodes, {}\n", options->output, bytes_text(static_cast<int64_t>(bytes->size())), nodes,
                 in_float.empty() ? "all on integers" : fmt::format("{} of them in float:", in_float.size()));
      print_float_nodes(in_float);
      if (lowered.model.has_length())
        fmt::print("  lengths of {} to {}\n", lowered.model.least_length, lowered.model.most_length);
    }
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
