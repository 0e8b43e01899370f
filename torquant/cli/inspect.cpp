#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "torquant/cli/commands.h"
#include "torquant/cli/executable.h"
#include "torquant/cli/inspect_model.h"
#include "torquant/cli/layers.h"
#include "torquant/cli/output.h"
#include "torquant/core/error.h"
#include "torquant/graph/input_check.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/prepare.h"
#include "torquant/recipe/recipe.h"

namespace torquant::cli {
namespace {

using Json = nlohmann::ordered_json;

struct TensorSum {
  int64_t tensors = 0;
  int64_t elements = 0;
  int64_t bytes = 0;
};

// By dtype. A storage that several names share counts once.
std::map<std::string, TensorSum> sum_state(const Program& program) {
  std::map<std::string, TensorSum> sums;
  std::set<const void*> seen;
  for (const StateTensor& entry : program.state()) {
    if (entry.tensor.numel() > 0 && !seen.insert(entry.tensor.const_data_ptr()).second) continue;
    TensorSum& sum = sums[c10::toString(entry.tensor.scalar_type())];
    ++sum.tensors;
    sum.elements += entry.tensor.numel();
    sum.bytes += static_cast<int64_t>(entry.tensor.nbytes());
  }
  return sums;
}

std::string type_text(const Program& program, const Value* value) {
  if (value == nullptr) return "constant";
  if (!value->is_tensor()) return "scalar";
  return fmt::format("{} {}", c10::toString(value->tensor().dtype), allowed_sizes(program, value->tensor()));
}

std::vector<std::pair<std::string, size_t>> count_operators(const Program& program) {
  std::map<std::string, size_t> counts;
  for (const Node& node : program.graph()) ++counts[node.op().name()];
  std::vector<std::pair<std::string, size_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

std::vector<std::string> unknown_operators(const Program& program) {
  std::set<std::string> unknown;
  for (const Node& node : program.graph()) {
    if (node.op().is_dispatcher_op() && find_operator(node.op()) == nullptr) unknown.insert(node.op().name());
  }
  return {unknown.begin(), unknown.end()};
}

// What each recipe could do, by its name: a summary, or why it does nothing.
std::vector<std::pair<std::string, std::string>> try_recipes(const Program& program) {
  std::vector<std::pair<std::string, std::string>> results;
  for (const std::string& name : built_in_recipes()) {
    try {
      RecipeQuantizer quantizer(load_recipe(name));
      results.emplace_back(name, summary(prepare_pt2e(program.clone(), quantizer).report()));
    } catch (const Error& error) {
      results.emplace_back(name, "nothing: " + error.reason());
    }
  }
  return results;
}

struct Options {
  std::string program;
  bool layers = false;
  bool json = false;
};

Json to_json(const Program& program, const Options& options) {
  Json inputs = Json::array();
  for (const Value* value : program.user_inputs()) {
    inputs.push_back({{"name", value->name()}, {"type", type_text(program, value)}});
  }
  Json outputs = Json::array();
  for (size_t i = 0; i < program.output_specs().size(); ++i) {
    if (program.output_specs()[i].kind != OutputKind::kUser) continue;
    const Value* value = value_of(program.graph().outputs()[i]);
    outputs.push_back({{"name", value == nullptr ? "" : value->name()}, {"type", type_text(program, value)}});
  }
  Json operators = Json::object();
  for (const auto& [name, count] : count_operators(program)) operators[name] = count;
  Json state = Json::object();
  for (const auto& [dtype, sum] : sum_state(program)) {
    state[dtype] = {{"tensors", sum.tensors}, {"elements", sum.elements}, {"bytes", sum.bytes}};
  }
  Json recipes = Json::object();
  for (const auto& [name, result] : try_recipes(program)) recipes[name] = result;
  Json json = {{"file", options.program},
               {"bytes", std::filesystem::file_size(options.program)},
               {"inputs", std::move(inputs)},
               {"outputs", std::move(outputs)},
               {"nodes", program.graph().size()},
               {"operators", std::move(operators)},
               {"unknown_operators", unknown_operators(program)},
               {"state", std::move(state)},
               {"recipes", std::move(recipes)}};
  if (options.layers) {
    json["layers"] = Json::array();
    for (const Node& node : program.graph()) {
      Json layer = {{"module", node.module_path()}, {"node", node.name()}, {"op", node.op().name()}};
      const Value* weight = node.input("weight");
      if (const at::Tensor* tensor = weight == nullptr ? nullptr : program.tensor_of(weight)) {
        layer["weight"] = program.spec_of(weight)->target;
        layer["weight_shape"] = tensor->sizes().vec();
      }
      json["layers"].push_back(std::move(layer));
    }
  }
  return json;
}

void print(const Json& json) {
  fmt::print("{}: {}\n", json["file"].get<std::string>(), bytes_text(json["bytes"].get<int64_t>()));
  for (const char* kind : {"inputs", "outputs"}) {
    fmt::print("\n{}\n", kind);
    for (const Json& value : json[kind]) {
      fmt::print("  {}: {}\n", value["name"].get<std::string>(), value["type"].get<std::string>());
    }
  }
  fmt::print("\nparameters, buffers and constants\n");
  for (const auto& [dtype, sum] : json["state"].items()) {
    fmt::print("  {}: {} in {} tensors, {} elements\n", dtype, bytes_text(sum["bytes"].get<int64_t>()),
               sum["tensors"].get<int64_t>(), with_commas(sum["elements"].get<int64_t>()));
  }
  fmt::print("\n{} nodes\n", json["nodes"].get<size_t>());
  for (const auto& [name, count] : json["operators"].items()) fmt::print("  {:>5}  {}\n", count.get<size_t>(), name);
  for (const Json& name : json["unknown_operators"]) {
    fmt::print("  {} is not known here: the program cannot be run\n", name.get<std::string>());
  }
  fmt::print("\nwhat the recipes quantize (`torquant plan` shows each layer)\n");
  for (const auto& [name, result] : json["recipes"].items()) fmt::print("  {}: {}\n", name, result.get<std::string>());
  if (!json.contains("layers")) return;
  fmt::print("\n");
  std::vector<std::vector<std::string>> rows = {{"module", "node", "operator", "weight"}};
  for (const Json& layer : json["layers"]) {
    const std::string weight =
        layer.contains("weight") ? layer["weight"].get<std::string>() + " " + layer["weight_shape"].dump() : "";
    rows.push_back(
        {layer["module"].get<std::string>(), layer["node"].get<std::string>(), layer["op"].get<std::string>(), weight});
  }
  print_table(rows);
}

}  // namespace

void add_inspect(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show inputs, outputs, weights, operators, and what can be quantized");
  command->add_option("PROGRAM", options->program, "A .pt2 archive, or a .tqm model")->required();
  command->add_flag("--layers", options->layers,
                    "List every node; of an archive with its module, as recipes select them");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &exit_code] {
    exit_code = kDone;
    if (is_tqm(options->program)) {
      const Json model = inspect_model(options->program);
      if (options->json) {
        fmt::print("{}\n", model.dump());
      } else {
        print_model(model, options->layers);
      }
      return;
    }
    const at::NoGradGuard no_grad;
    const Json json = to_json(load_pt2(options->program, {.allow_unknown_operators = true}), *options);
    if (options->json) {
      fmt::print("{}\n", json.dump());
    } else {
      print(json);
    }
  });
}

}  // namespace torquant::cli
