#include "torquant/pt2e/observer_statistics.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "torquant/core/error.h"
#include "torquant/core/fingerprint.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/graph/text.h"
#include "torquant/io/pt2_json.h"
#include "torquant/io/safetensors.h"
#include "torquant/pass/constant_values.h"
#include "torquant/pt2e/observer_json.h"

namespace torquant {
namespace {

using Json = nlohmann::json;
using pt2::int_at;
using pt2::member;
using pt2::string_at;

constexpr const char* kRecord = "torquant_observers";  // the metadata's key
constexpr int kVersion = 1;

void add(Fingerprint& fingerprint, const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  fingerprint.add(c10::toString(dense.scalar_type())).add(dense.sizes().data(), dense.sizes().size() * sizeof(int64_t));
  fingerprint.add(dense.const_data_ptr(), dense.nbytes());
}

std::string weights_fingerprint(const Program& program) {
  Fingerprint fingerprint;
  for (const StateTensor& entry : program.state()) {
    fingerprint.add(entry.name);
    add(fingerprint, entry.tensor);
  }
  return fingerprint.text();
}

std::string graph_fingerprint(const PreparedProgram& prepared) {
  Fingerprint fingerprint;
  fingerprint.add(to_text(prepared.program()));
  for (const PlacedObserver& placed : prepared.observers()) {
    fingerprint.add(to_json(placed.spec).dump()).add(to_json(placed.options).dump());
  }
  return fingerprint.text();
}

// By observer: "12.conv2d_3", or "" for one that sees no activation.
std::vector<std::string> entry_names(const PreparedProgram& prepared) {
  std::vector<std::string> names(prepared.observers().size());
  const std::unordered_set<const Value*> constants = constant_values(prepared.program());
  for (const Node& node : prepared.program().graph()) {
    if (node.op() != ops::kObserve || constants.contains(node.input("input"))) continue;
    const auto observer = static_cast<size_t>(int_arg(node, "observer"));
    if (names[observer].empty()) names[observer] = fmt::format("{}.{}", observer, node.input("input")->name());
  }
  return names;
}

[[noreturn]] void refuse_other(const std::string& what, const std::string& theirs, const std::string& ours) {
  throw Error({.where = "",
               .what = fmt::format("{} (recipe {} there, {} here)", what, theirs, ours),
               .hint = "statistics go with the very program and recipe that they were collected with"});
}

void check_same(const ObserverStatistics& theirs, const ObserverStatistics& ours) {
  if (theirs.weights != ours.weights) {
    refuse_other("the observers saw a program with other weights", theirs.recipe, ours.recipe);
  }
  if (theirs.graph != ours.graph) {
    refuse_other("the observers saw another program, or were placed by another recipe", theirs.recipe, ours.recipe);
  }
}

int64_t samples_at(const Json& json) {
  constexpr int64_t kMost = int64_t{1} << 40;  // the sum over a million files is no overflow
  const int64_t samples = int_at(json, "samples");
  if (samples >= 0 && samples <= kMost) return samples;
  throw Error({.where = "", .what = fmt::format("{} samples", samples), .allowed = fmt::format("0 to {}", kMost)});
}

// The observer that a tensor "12.conv2d_3.min_val" belongs to.
ObserverStatistics::Entry& owner_of(const std::string& tensor, std::vector<ObserverStatistics::Entry>& observers) {
  ObserverStatistics::Entry* owner = nullptr;
  for (ObserverStatistics::Entry& entry : observers) {
    if (!tensor.starts_with(entry.name + ".")) continue;
    if (owner != nullptr) {
      throw Error({.where = "",
                   .what = fmt::format("tensor \"{}\" is of \"{}\" and of \"{}\"", tensor, owner->name, entry.name)});
    }
    owner = &entry;
  }
  if (owner == nullptr)
    throw Error({.where = "", .what = fmt::format("tensor \"{}\" is of none of the observers", tensor)});
  return *owner;
}

ObserverStatistics read_record(const Json& record, const SafetensorsFile& file) {
  if (const int64_t version = int_at(record, "version"); version != kVersion) {
    throw Error({.where = "", .what = fmt::format("version {}", version), .allowed = std::to_string(kVersion)});
  }
  ObserverStatistics statistics = {.recipe = string_at(record, "recipe"),
                                   .weights = string_at(record, "weights"),
                                   .graph = string_at(record, "graph"),
                                   .samples = samples_at(record),
                                   .observers = pt2::read_list<ObserverStatistics::Entry>(
                                       member(record, "observers"), [](const Json& entry) -> ObserverStatistics::Entry {
                                         return {.name = string_at(entry, "name"),
                                                 .spec = observer_spec_from_json(member(entry, "spec")),
                                                 .options = observer_options_from_json(member(entry, "options")),
                                                 .state = {}};
                                       })};
  for (const std::string& name : file.names()) {
    ObserverStatistics::Entry& owner = owner_of(name, statistics.observers);
    owner.state[name.substr(owner.name.size() + 1)] = file.tensor(name);
  }
  if (record.contains("unfinished")) {
    const Json& unfinished = record["unfinished"];
    statistics.unfinished = {.position = pt2::read_list<int64_t>(member(unfinished, "position"), pt2::to_int),
                             .samples = samples_at(unfinished),
                             .samples_per_batch = int_at(unfinished, "samples_per_batch"),
                             .data = string_at(unfinished, "data")};
  }
  return statistics;
}

}  // namespace

std::string fingerprint(const std::vector<at::Tensor>& tensors) {
  Fingerprint fingerprint;
  for (const at::Tensor& tensor : tensors) add(fingerprint, tensor);
  return fingerprint.text();
}

ObserverStatistics collect_statistics(const PreparedProgram& prepared, const std::string& recipe, int64_t samples) {
  if (keeps_state(prepared.program())) {
    throw Error(
        {.where = recipe,
         .what = "the program writes to its own buffers, so what its observers see depends on all batches before",
         .hint = "calibrate and quantize in one run; in C++ save_prepared keeps program and observers"});
  }
  ObserverStatistics statistics = {.recipe = recipe,
                                   .weights = weights_fingerprint(prepared.program()),
                                   .graph = graph_fingerprint(prepared),
                                   .samples = samples};
  const std::vector<std::string> names = entry_names(prepared);
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    const PlacedObserver& placed = prepared.observers()[i];
    statistics.observers.push_back({names[i], placed.spec, placed.options, placed.observer->state()});
  }
  return statistics;
}

void restore_statistics(PreparedProgram& prepared, const ObserverStatistics& statistics, const std::string& recipe) {
  const ObserverStatistics ours = collect_statistics(prepared, recipe, 0);
  check_same(statistics, ours);
  if (statistics.observers.size() != ours.observers.size()) {
    throw Error({.where = "",
                 .what = fmt::format("holds {} observers, the program has {}", statistics.observers.size(),
                                     ours.observers.size())});
  }
  const std::vector<std::string> names = entry_names(prepared);
  for (const ObserverStatistics::Entry& entry : statistics.observers) {
    const auto found = std::ranges::find(names, entry.name);
    if (found == names.end()) {
      throw Error({.where = "", .what = fmt::format("\"{}\" is no observer of this program", entry.name)});
    }
    try {
      prepared.observers()[static_cast<size_t>(found - names.begin())].observer->load_state(entry.state);
    } catch (const Error& error) {
      throw error.within(entry.name);
    }
  }
}

ObserverStatistics merge_statistics(const std::vector<ObserverStatistics>& parts,
                                    const std::vector<std::string>& names) {
  ObserverStatistics merged = parts.at(0);
  std::vector<ObserverPtr> observers;
  for (size_t i = 0; i < parts.size(); ++i) {
    try {
      check_same(parts[i], merged);
      if (parts[i].unfinished) {
        throw Error({.where = "",
                     .what = fmt::format("holds an interrupted calibration: {} of {} samples", parts[i].samples,
                                         parts[i].unfinished->samples),
                     .hint = "finish it with `torquant quantize … --resume`"});
      }
      if (parts[i].observers.size() != merged.observers.size()) {
        throw Error({.where = "",
                     .what = fmt::format("holds {} observers, {} holds {}", parts[i].observers.size(), names[0],
                                         merged.observers.size())});
      }
      for (size_t k = 0; k < merged.observers.size(); ++k) {
        const ObserverStatistics::Entry& entry = parts[i].observers[k];
        if (entry.name != merged.observers[k].name) {
          throw Error({.where = "",
                       .what = fmt::format("has {} where {} has {}", entry.name, names[0], merged.observers[k].name)});
        }
        try {
          const ObserverPtr observer = make_observer(entry.spec, entry.options);
          observer->load_state(entry.state);
          if (i == 0) {
            observers.push_back(observer);
          } else {
            observers[k]->merge(*observer);
          }
        } catch (const Error& error) {
          throw error.within(entry.name);
        }
      }
    } catch (const Error& error) {
      throw error.within(names[i]);
    }
    if (i > 0) merged.samples += parts[i].samples;
  }
  for (size_t k = 0; k < observers.size(); ++k) merged.observers[k].state = observers[k]->state();
  return merged;
}

void save_statistics(const ObserverStatistics& statistics, const std::string& path) {
  Json record = {{"version", kVersion},       {"recipe", statistics.recipe},   {"weights", statistics.weights},
                 {"graph", statistics.graph}, {"samples", statistics.samples}, {"observers", Json::array()}};
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const ObserverStatistics::Entry& entry : statistics.observers) {
    record["observers"].push_back(
        {{"name", entry.name}, {"spec", to_json(entry.spec)}, {"options", to_json(entry.options)}});
    for (const auto& [name, tensor] : entry.state) tensors.emplace_back(entry.name + "." + name, tensor);
  }
  if (const auto& unfinished = statistics.unfinished) {
    record["unfinished"] = {{"position", unfinished->position},
                            {"samples", unfinished->samples},
                            {"samples_per_batch", unfinished->samples_per_batch},
                            {"data", unfinished->data}};
  }
  save_safetensors(path, tensors, {{kRecord, record.dump()}});
}

ObserverStatistics load_statistics(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const auto text = file.metadata().find(kRecord);
  if (text == file.metadata().end()) {
    throw Error({.where = path,
                 .what = "holds no observer statistics",
                 .allowed = "a file of `torquant quantize … --save-observers` or `torquant merge-observers`"});
  }
  try {
    return read_record(pt2::parse<Json>(text->second), file);
  } catch (const Error& error) {
    throw error.within(kRecord).within(path);
  }
}

}  // namespace torquant
