#include "torquant/pt2e/prepared_io.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "torquant/core/error.h"
#include "torquant/graph/ops.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/observer_json.h"

namespace torquant {
namespace {

using Json = nlohmann::json;

constexpr const char* kRecord = "torquant_prepared.json";  // an extra file of the archive
constexpr int kVersion = 1;

// Observer states lie among the weights under names that no module has.
std::string state_prefix(size_t observer) { return fmt::format("torquant.observer.{}.", observer); }

// verify() knows operators of the dispatcher only; these are ours.
void check_observe_nodes(const Graph& graph, size_t observers) {
  for (const Node& node : graph) {
    if (node.op() != ops::kObserve) continue;
    const Value* input = node.input("input");
    if (input == nullptr || !input->is_tensor() || node.values().size() != 1) {
      throw Error({.where = node.describe(), .what = "observes no tensor, or gives something else than one"});
    }
    const Argument* index = node.find_arg("observer");
    const auto* number = index == nullptr ? nullptr : std::get_if<int64_t>(index);
    if (number == nullptr || *number < 0 || static_cast<uint64_t>(*number) >= observers || node.args().size() != 2) {
      throw Error({.where = node.describe(),
                   .what = "names no observer of the file",
                   .allowed = fmt::format("observer=i, with i below {}", observers)});
    }
  }
}

}  // namespace

void save_prepared(const PreparedProgram& prepared, const std::string& path) {
  Program copy = prepared.program().clone();
  Json json = {{"version", kVersion}, {"report", to_json(prepared.report())}, {"observers", Json::array()}};
  for (size_t i = 0; i < prepared.observers().size(); ++i) {
    const PlacedObserver& placed = prepared.observers()[i];
    if (placed.derive_qparams && !placed.derives_bias) {
      throw Error({.where = path,
                   .what = fmt::format("observer {} is derived by a function of your own, which cannot be saved", i)});
    }
    Json entry = {{"spec", to_json(placed.spec)}, {"options", to_json(placed.options)}};
    if (placed.derive_qparams) entry["derived_from"] = placed.derived_from;
    json["observers"].push_back(std::move(entry));
    for (const auto& [name, tensor] : placed.observer->state()) copy.set_state(state_prefix(i) + name, tensor.clone());
  }
  copy.remainder().extra_files.emplace_back(kRecord, json.dump());
  save_pt2(copy, path);
}

PreparedProgram load_prepared(const std::string& path) {
  Program program = load_pt2(path, {.allow_unknown_operators = true});
  auto& files = program.remainder().extra_files;
  const auto record = std::find_if(files.begin(), files.end(), [](const auto& file) { return file.first == kRecord; });
  if (record == files.end()) {
    throw Error({.where = path, .what = "holds no prepared program", .allowed = "a file of save_prepared"});
  }
  try {
    const Json json = Json::parse(record->second);
    if (json.at("version") != kVersion) {
      throw Error({.where = kRecord, .what = fmt::format("version {}", json.at("version").dump()), .allowed = "1"});
    }
    files.erase(record);
    std::vector<PlacedObserver> observers;
    for (const Json& entry : json.at("observers")) {
      PlacedObserver placed{.spec = observer_spec_from_json(entry.at("spec")),
                            .options = observer_options_from_json(entry.at("options"))};
      placed.observer = make_observer(placed.spec, placed.options);
      if (entry.contains("derived_from")) {
        placed.derived_from = entry.at("derived_from").get<std::vector<size_t>>();
        placed.derive_qparams = derive_bias_qparams;
        placed.derives_bias = true;
      }
      const std::string prefix = state_prefix(observers.size());
      Observer::State state;
      std::unordered_set<std::string> names;
      for (const StateTensor& tensor : program.state()) {
        if (!tensor.name.starts_with(prefix)) continue;
        state[tensor.name.substr(prefix.size())] = tensor.tensor;
        names.insert(tensor.name);
      }
      program.erase_states(names);
      if (!state.empty()) placed.observer->load_state(state);
      observers.push_back(std::move(placed));
    }
    for (const PlacedObserver& placed : observers) {
      const bool inside = std::all_of(placed.derived_from.begin(), placed.derived_from.end(),
                                      [&](size_t source) { return source < observers.size(); });
      if (!inside) throw Error({.where = kRecord, .what = "an observer is derived from one that does not exist"});
    }
    check_observe_nodes(program.graph(), observers.size());
    return {std::move(program), std::move(observers), report_from_json(json.at("report"))};
  } catch (const Error& error) {
    throw error.within(path);
  } catch (const Json::exception& error) {
    throw Error({.where = path, .what = fmt::format("{}: {}", kRecord, error.what())});
  }
}

}  // namespace torquant
