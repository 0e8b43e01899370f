#include "torquant/pt2e/prepared_io.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "torquant/core/error.h"
#include "torquant/graph/ops.h"
#include "torquant/io/pt2.h"
#include "torquant/io/pt2_json.h"
#include "torquant/pt2e/observer_json.h"

namespace torquant {
namespace {

using Json = nlohmann::json;

constexpr const char* kRecord = "torquant_prepared.json";  // an extra file of the archive
constexpr int kVersion = 1;

// Observer states lie among the weights under names that no module has.
std::string state_prefix(size_t observer) { return fmt::format("torquant.observer.{}.", observer); }

// verify() knows operators of the dispatcher only; these are ours.
void check_observe_nodes(const Graph& graph, size_t observers, bool is_subgraph = false) {
  for (const Node& node : graph) {
    for (const NamedArgument& arg : node.args()) {
      if (const auto* body = std::get_if<SubgraphArgument>(&arg.value)) {
        check_observe_nodes(*body->graph, observers, /*is_subgraph=*/true);
      }
    }
    if (node.op() != ops::kObserve) continue;
    if (is_subgraph) throw Error({.where = node.describe(), .what = "observes inside of a subgraph"});
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

// What the program's state holds under names that begin with `prefix`; it is no longer the program's.
Observer::State take_state(Program& program, const std::string& prefix) {
  Observer::State state;
  std::unordered_set<std::string> names;
  for (const StateTensor& tensor : program.state()) {
    if (!tensor.name.starts_with(prefix)) continue;
    state[tensor.name.substr(prefix.size())] = tensor.tensor;
    names.insert(tensor.name);
  }
  for (const InputSpec& spec : program.input_specs()) {
    if (names.contains(spec.target)) {
      throw Error({.where = "", .what = fmt::format("its state \"{}\" is a weight of the program", spec.target)});
    }
  }
  program.erase_states(names);
  return state;
}

// `observers`: how many there are.
PlacedObserver read_observer(const Json& json, size_t observers, const Observer::State& state) {
  PlacedObserver placed{.spec = observer_spec_from_json(pt2::member(json, "spec")),
                        .options = observer_options_from_json(pt2::member(json, "options"))};
  placed.observer = make_observer(placed.spec, placed.options);
  placed.observer->load_state(state);
  if (!json.contains("derived_from")) return placed;
  placed.derived_from = pt2::read_list<size_t>(json["derived_from"], [&](const Json& item) {
    const int64_t source = pt2::to_int(item);
    if (source >= 0 && static_cast<uint64_t>(source) < observers) return static_cast<size_t>(source);
    throw Error({.where = "",
                 .what = fmt::format("is derived from observer {}", source),
                 .allowed = fmt::format("0 to {}", observers - 1)});
  });
  placed.derive_qparams = derive_bias_qparams;
  placed.derives_bias = true;
  return placed;
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
    const Json json = pt2::parse<Json>(record->second);
    if (const int64_t version = pt2::int_at(json, "version"); version != kVersion) {
      throw Error({.where = "", .what = fmt::format("version {}", version), .allowed = std::to_string(kVersion)});
    }
    files.erase(record);
    const Json& settings = pt2::member(json, "observers");
    size_t next = 0;
    auto observers = pt2::read_list<PlacedObserver>(settings, [&](const Json& entry) {
      const size_t i = next++;
      try {
        return read_observer(entry, settings.size(), take_state(program, state_prefix(i)));
      } catch (const Error& error) {
        throw error.within(fmt::format("observer {}", i));
      }
    });
    check_observe_nodes(program.graph(), observers.size());
    return {std::move(program), std::move(observers), report_from_json(pt2::member(json, "report"))};
  } catch (const Error& error) {
    throw error.within(kRecord).within(path);
  }
}

}  // namespace torquant
