#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "torquant/cli/commands.h"
#include "torquant/cli/output.h"
#include "torquant/quantizer/arm_inductor_quantizer.h"
#include "torquant/quantizer/composable_quantizer.h"
#include "torquant/quantizer/embedding_quantizer.h"
#include "torquant/quantizer/torquant_quantizer.h"
#include "torquant/quantizer/x86_inductor_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant::cli {
namespace {

using QuantizerPtr = std::shared_ptr<Quantizer>;

const std::map<std::string, std::function<QuantizerPtr()>>& quantizers() {
  static const std::map<std::string, std::function<QuantizerPtr()>> kQuantizers = {
      {"xnnpack", [] { return std::make_shared<XNNPACKQuantizer>(); }},
      {"torquant", [] { return std::make_shared<TorquantQuantizer>(); }},
      {"x86", [] { return std::make_shared<X86InductorQuantizer>(); }},
      {"arm", [] { return std::make_shared<ArmInductorQuantizer>(); }},
      {"embedding", [] { return std::make_shared<EmbeddingQuantizer>(); }},
  };
  return kQuantizers;
}

std::string remark(const Capability& capability) {
  if (capability.on_request) return "on request";
  return capability.follows ? "behind a quantized operator" : "";
}

}  // namespace

void add_capabilities(CLI::App& app, ExitCode& exit_code) {
  struct Options {
    std::vector<std::string> names;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("capabilities", "List what a quantizer, or a composition of several, can do");
  std::vector<std::string> names;
  for (const auto& [name, make] : quantizers()) names.push_back(name);
  command->add_option("QUANTIZER", options->names, "In the order of the composition")
      ->required()
      ->check(CLI::IsMember(names));
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &exit_code] {
    std::vector<QuantizerPtr> parts;
    for (const std::string& name : options->names) parts.push_back(quantizers().at(name)());
    const std::vector<Capability> capabilities = ComposableQuantizer(std::move(parts)).capabilities();
    if (options->json) {
      auto rows = nlohmann::ordered_json::array();
      for (const Capability& capability : capabilities) {
        auto ops = nlohmann::ordered_json::array();
        for (const OpId& op : capability.ops) ops.push_back(op.name());
        rows.push_back({{"quantizer", capability.quantizer},
                        {"pattern", capability.pattern},
                        {"ops", std::move(ops)},
                        {"activation", scheme_text(capability.activation)},
                        {"weight", scheme_text(capability.weight)},
                        {"mode", mode_of(capability)},
                        {"on_request", capability.on_request},
                        {"follows", capability.follows}});
      }
      fmt::print("{}\n", nlohmann::ordered_json{{"capabilities", std::move(rows)}}.dump());
    } else {
      std::vector<std::vector<std::string>> rows = {{"quantizer", "pattern", "mode", "input", "weight", ""}};
      for (const Capability& capability : capabilities) {
        rows.push_back({capability.quantizer, capability.pattern, mode_of(capability),
                        scheme_text(capability.activation), capability.weight ? scheme_text(capability.weight) : "none",
                        remark(capability)});
      }
      print_table(rows);
    }
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
