#include "torquant/cli/inspect_model.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <vector>

#include "torquant/cli/output.h"
#include "torquant/core/error.h"
#include "torquant/format/describe.h"
#include "torquant/runtime/session.h"

namespace torquant::cli {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const format::Value& value) {
  return {{"name", value.name}, {"sizes", value.sizes}, {"type", name_of(value.type)}};
}

}  // namespace

Json inspect_model(const std::string& path) {
  const auto loaded = runtime::LoadedModel::load(path);
  if (!loaded.ok()) throw Error(loaded.error());
  const format::Model& model = (*loaded)->model();
  const auto plan = (*loaded)->plan_for(static_cast<size_t>(model.least_batch));
  if (!plan.ok()) throw Error(Error(plan.error()).within(path));
  Json json = {{"file", path},
               {"bytes", std::filesystem::file_size(path)},
               {"made_by", model.producer},
               {"source", model.source},
               {"batch", {model.least_batch, model.most_batch}},
               {"length", {model.least_length, model.most_length}},
               {"instruction_set", name_of((*loaded)->isa())},
               {"arena_bytes", (*plan)->memory.arena_bytes}};
  for (const bool is_input : {true, false}) {
    Json& list = json[is_input ? "inputs" : "outputs"] = Json::array();
    for (const format::ValueIndex index : is_input ? model.inputs : model.outputs)
      list.push_back(json_of(model.values[index]));
  }
  json["nodes"] = Json::array();
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    const format::Operation& operation = model.nodes[i].operation;
    const format::Value& output = model.values[output_of(operation)];
    json["nodes"].push_back({{"name", model.nodes[i].name},
                             {"kind", kind_of(operation)},
                             {"kernel", (*plan)->steps.kernels[i]},
                             {"output", output.sizes},
                             {"macs", multiply_accumulates(model, operation)},
                             {"weight_bytes", weight_bytes(operation)}});
  }
  return json;
}

void print_model(const Json& model, bool layers) {
  fmt::print("{}: {}, a model of the runtime\n", model["file"].get<std::string>(),
             bytes_text(model["bytes"].get<int64_t>()));
  fmt::print("  made by {} from a program with the fingerprint {}\n", model["made_by"].get<std::string>(),
             model["source"].get<std::string>());
  fmt::print("  batches of {} to {}; here on {}, with {} for what nodes hand on\n", model["batch"][0].get<int64_t>(),
             model["batch"][1].get<int64_t>(), model["instruction_set"].get<std::string>(),
             bytes_text(model["arena_bytes"].get<int64_t>()));
  if (const int64_t least = model["length"][0].get<int64_t>(), most = model["length"][1].get<int64_t>(); most > least)
    fmt::print("  lengths of {} to {}; what follows is of {}\n", least, most, least);
  for (const char* kind : {"inputs", "outputs"}) {
    fmt::print("\n{}\n", kind);
    for (const Json& value : model[kind])
      fmt::print("  {}: {} {}\n", value["name"].get<std::string>(), value["type"].get<std::string>(),
                 value["sizes"].dump());
  }
  std::map<std::string, size_t> kinds;
  int64_t macs = 0;
  for (const Json& node : model["nodes"]) {
    ++kinds[node["kind"].get<std::string>()];
    macs += node["macs"].get<int64_t>();
  }
  fmt::print("\n{} nodes, {:.1f} million multiply-accumulates an image\n", model["nodes"].size(),
             static_cast<double>(macs) / 1e6);
  for (const auto& [name, count] : kinds) fmt::print("  {:>5}  {}\n", count, name);
  if (!layers) return;
  fmt::print("\n");
  std::vector<std::vector<std::string>> rows = {{"node", "kind", "kernel", "output", "MMAC", "weights, bytes"}};
  for (const Json& node : model["nodes"]) {
    rows.push_back({node["name"].get<std::string>(), node["kind"].get<std::string>(), node["kernel"].get<std::string>(),
                    node["output"].dump(), fmt::format("{:.1f}", node["macs"].get<double>() / 1e6),
                    std::to_string(node["weight_bytes"].get<int64_t>())});
  }
  print_table(rows);
}

}  // namespace torquant::cli
