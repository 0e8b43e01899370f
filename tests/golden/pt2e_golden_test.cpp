// Family pt2e: annotate, prepare, calibrate and convert give what torchao gives: who shares an observer with whom, what
// the observers saw, folded weights, the converted graph with its numbers, integer weights and outputs.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "golden_quantizers.h"
#include "graph_case.h"
#include "graph_listing.h"
#include "pt2e_purposeful.h"
#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/io/pt2.h"
#include "torquant/pass/pipeline.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/sharing.h"

namespace torquant::golden {
namespace {

using Json = nlohmann::json;

// The FX name of a value: state is read by get_attr nodes named after it, with underscores.
std::string fx_name(const Program& program, const Value* value) {
  if (value->producer() != nullptr) {
    return value->producer()->output() == value ? value->producer()->name() : value->name();
  }
  const InputSpec* spec = program.spec_of(value);
  if (spec == nullptr || spec->target.empty()) return value->name();
  std::string name = spec->target;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

using PlaceName = std::pair<std::string, std::string>;  // producer, consumer or ""

// Groups of places that share an observer, as sets of names: equal sets are equal sharing.
using Partition = std::set<std::set<PlaceName>>;

Partition our_partition(const Program& program, const SharingGroups& sharing) {
  Partition partition;
  for (const SharingGroup& group : sharing.groups) {
    std::set<PlaceName> places;
    for (const EdgeOrNode& place : group.places) {
      places.emplace(fx_name(program, place.value), place.consumer == nullptr ? "" : place.consumer->name());
    }
    partition.insert(std::move(places));
  }
  return partition;
}

Partition their_partition(const Json& golden) {
  std::map<int, std::set<PlaceName>> groups;
  for (const Json& row : golden["edges_and_nodes"]) {
    const int observer = row["observer"];
    if (golden["edge_observers"][static_cast<size_t>(observer)]["type"] == "NoneType") continue;
    if (row.contains("edge")) {
      groups[observer].emplace(row["edge"][0], row["edge"][1]);
    } else {
      groups[observer].emplace(row["node"], "");
    }
  }
  Partition partition;
  for (auto& [observer, places] : groups) partition.insert(std::move(places));
  return partition;
}

std::string text_of(const Partition& partition) {
  std::string text;
  for (const auto& group : partition) {
    text += "{";
    for (const auto& [producer, consumer] : group) text += fmt::format(" {}→{}", producer, consumer);
    text += " }";
  }
  return text;
}

// An inserted observer by what it stands between: the value, and the nodes that read it through it.
using ObserverPlace = std::pair<std::string, std::set<std::string>>;

std::map<ObserverPlace, size_t> our_observers(const Program& program) {
  std::map<ObserverPlace, size_t> places;
  for (const Node& node : program.graph()) {
    if (node.op() != ops::kObserve) continue;
    const Value* root = node.input("input");
    while (root->producer() != nullptr && root->producer()->op() == ops::kObserve) {
      root = root->producer()->input("input");
    }
    std::set<std::string> users;
    for (const Node* user : node.output()->users()) {
      users.insert(user->op() == ops::kObserve ? "observer" : user->name());
    }
    places[{fx_name(program, root), users}] = static_cast<size_t>(int_arg(node, "observer"));
  }
  return places;
}

std::map<ObserverPlace, std::string> their_observers(const Json& golden) {
  std::map<std::string, std::string> observes;
  for (const Json& row : golden["observers"]) observes[row["node"]] = row["observes"];
  std::map<ObserverPlace, std::string> places;
  for (const Json& row : golden["observers"]) {
    std::string root = row["observes"];
    while (observes.contains(root)) root = observes[root];
    std::set<std::string> users;
    for (const std::string user : row["users"]) users.insert(observes.contains(user) ? "observer" : user);
    places[{root, users}] = row["module"];
  }
  return places;
}

void compare(const at::Tensor& ours, const at::Tensor& theirs, const std::string& what, std::string& difference) {
  if (!difference.empty()) return;
  if (const auto found = golden::difference(ours, theirs)) difference = what + ": " + *found;
}

void compare_observers(const PreparedProgram& prepared, const GraphCase& golden, std::string& difference) {
  const auto ours = our_observers(prepared.program());
  for (const auto& [place, module] : their_observers(golden.json())) {
    const auto found = ours.find(place);
    if (found == ours.end()) {
      difference = fmt::format("no observer on {} as PyTorch's {}", place.first, module);
      return;
    }
    const PlacedObserver& placed = prepared.observers()[found->second];
    const std::string prefix = "observer." + module + ".";
    const Observer::State state = placed.observer->state();
    for (const char* name : {"min_val", "max_val", "histogram"}) {
      if (golden.has(prefix + name) && state.contains(name)) {
        compare(state.at(name), golden.tensor(prefix + name), prefix + name, difference);
      }
    }
    if (golden.has(prefix + "scale") && !placed.derive_qparams) {
      const TensorQParams qparams = placed.observer->calculate_qparams();
      compare(qparams.scale, golden.tensor(prefix + "scale"), prefix + "scale", difference);
      compare(qparams.zero_point.to(golden.tensor(prefix + "zero_point").scalar_type()),
              golden.tensor(prefix + "zero_point"), prefix + "zero_point", difference);
    }
  }
  if (ours.size() != golden.json()["observers"].size() && difference.empty()) {
    difference = fmt::format("{} observers, PyTorch has {}", ours.size(), golden.json()["observers"].size());
  }
}

void compare_outputs(const std::vector<at::Tensor>& ours, const GraphCase& golden, const std::string& name,
                     std::string& difference) {
  const std::vector<at::Tensor> theirs = golden.tensors(name);
  if (ours.size() != theirs.size() && difference.empty()) {
    difference = fmt::format("{}: {} outputs, not {}", name, ours.size(), theirs.size());
  }
  for (size_t i = 0; i < theirs.size() && difference.empty(); ++i) compare(ours[i], theirs[i], name, difference);
}

bool is_reference(const GraphCase& golden) {
  return golden.json()["convert_options"].value("use_reference_representation", false);
}

std::string run_case(const GraphCase& golden, Quantizer& quantizer) {
  std::string difference;
  {
    Program program = load_pt2(golden.file("float.pt2"));
    run_before_annotation(program);
    quantizer.transform_for_annotation(program);
    Annotations annotations;
    quantizer.annotate(program, annotations);
    const Partition ours = our_partition(program, resolve_sharing(program.graph(), annotations));
    const Partition theirs = their_partition(golden.json());
    if (ours != theirs) return fmt::format("sharing:\n  ours      {}\n  PyTorch's {}", text_of(ours), text_of(theirs));
  }
  PreparedProgram prepared = prepare_pt2e(load_pt2(golden.file("float.pt2")), quantizer);
  for (const std::string& name : golden.names()) {
    if (!name.starts_with("prepared_state.")) continue;
    const at::Tensor* ours = prepared.program().find_state(name.substr(15));
    if (ours == nullptr) return name + " is missing";
    compare(*ours, golden.tensor(name), name, difference);
  }
  for (int i = 0; i < 3; ++i) prepared.forward(golden.tensors(fmt::format("calibration.{}", i)));
  compare_observers(prepared, golden, difference);
  compare_outputs(prepared.forward(golden.tensors("test")), golden, "prepared_output_after_calibration", difference);
  const Json options = golden.json()["convert_options"];
  const ConvertedProgram converted = convert_pt2e(
      std::move(prepared),
      {.fold_quantize = options.value("fold_quantize", true), .use_reference_representation = is_reference(golden)});
  if (difference.empty()) difference = listing_difference(listing_of(converted.program), listing_of(golden));
  const at::NoGradGuard no_grad;
  compare_outputs(Interpreter(converted.program).forward(golden.tensors("test")), golden, "converted_output",
                  difference);
  return difference;
}

bool annotated_nothing(const GraphCase& golden) {
  return golden.json().contains("annotated") && golden.json()["annotated"].empty();
}

// What we say where torchao raises an error or gives back the float program: "" when it is as it should be.
std::string check_refusal(const GraphCase& golden, Quantizer& quantizer) {
  try {
    prepare_pt2e(load_pt2(golden.file("float.pt2")), quantizer);
  } catch (const Error& error) {
    const std::string text = error.what();
    const bool nothing = text.find("annotated none of the program's") != std::string::npos;
    return annotated_nothing(golden) && !nothing ? text : "";
  }
  if (annotated_nothing(golden)) return "nothing was annotated, and no error said so";
  const bool conflict = golden.error() && golden.error()->find("changed annotations") != std::string::npos;
  return conflict ? "no error names the conflict" : "";
}

TEST(Pt2e, GivesWhatTorchaoGives) {
  if (const auto reason = reason_to_skip("pt2e", "")) GTEST_SKIP() << *reason;
  at::set_num_threads(1);
  Summary summary{.family = "pt2e"};
  for (const GraphCase& golden : graph_cases("pt2e")) {
    std::string difference;
    try {
      if (const PurposefulDifference* known = find_purposeful(golden)) {
        ++summary.cases;
        ++summary.intended[known->reason];
        EXPECT_EQ(known->check(golden), "") << golden.name();
        continue;
      }
      const std::unique_ptr<Quantizer> quantizer =
          make_quantizer(golden.json()["quantizer"], load_pt2(golden.file("float.pt2")));
      ++summary.cases;
      difference = golden.error() || annotated_nothing(golden) ? check_refusal(golden, *quantizer)
                                                               : run_case(golden, *quantizer);
    } catch (const Error& error) {
      difference = error.what();
    }
    ++(difference.empty() ? summary.equal : summary.differ);
    EXPECT_EQ(difference, "") << golden.name();
  }
  report(summary);
}

}  // namespace
}  // namespace torquant::golden
