#include "torquant/pt2e/insert_observers.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>

#include <algorithm>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/constant_values.h"
#include "torquant/pt2e/check_spec.h"

namespace torquant {
namespace {

// A derived spec computes its qparams from other observers; it records nothing itself.
ObserverSpec observer_spec_of(const AnyQuantizationSpec& spec) {
  if (const auto* own = std::get_if<QuantizationSpec>(&spec)) return own->observer;
  if (const auto* fixed = std::get_if<FixedQParamsQuantizationSpec>(&spec)) {
    return {.type = FixedQParamsSpec{fixed->scale, fixed->zero_point}};
  }
  return {.type = NoopSpec{}};
}

using DeriveFunction = TensorQParams (*)(const std::vector<const Observer*>&);

bool is_bias_rule(const DeriveQParams& derive) {
  const DeriveFunction* function = derive.target<DeriveFunction>();
  return function != nullptr && *function == derive_bias_qparams;
}

std::vector<PlacedObserver> make_observers(const Program& program, const SharingGroups& sharing) {
  const std::unordered_set<const Value*> constants = constant_values(program);
  std::vector<PlacedObserver> observers;
  for (const SharingGroup& group : sharing.groups) {
    PlacedObserver placed{.spec = observer_spec_of(*group.spec), .options = *options_of(*group.spec)};
    check_spec(group, placed.spec, placed.options, constants);
    try {
      placed.observer = make_observer(placed.spec, placed.options);
    } catch (const Error& error) {
      throw error.within(to_string(group.places.front()));
    }
    if (const auto* derived = std::get_if<DerivedQuantizationSpec>(group.spec)) {
      placed.derive_qparams = derived->derive_qparams;
      placed.derives_bias = is_bias_rule(derived->derive_qparams);
      for (const EdgeOrNode& source : derived->derived_from) {
        const auto found = sharing.group_of.find(source);
        if (found == sharing.group_of.end()) {
          throw Error({.where = to_string(group.places.front()),
                       .what = fmt::format("is derived from {}, which has no quantization spec", to_string(source))});
        }
        placed.derived_from.push_back(found->second);
      }
    }
    observers.push_back(std::move(placed));
  }
  return observers;
}

bool is_observe(const Node* node) { return node->op() == ops::kObserve; }
size_t observer_index(const Node* node) { return static_cast<size_t>(int_arg(*node, "observer")); }

// The value behind inserted observers.
Value* original(Value* value) {
  while (value->producer() != nullptr && is_observe(value->producer())) value = value->producer()->input("input");
  return value;
}

class Inserter {
 public:
  Inserter(Program& program, const SharingGroups& sharing) : graph_(program.graph()), sharing_(sharing) {
    for (const Argument& input : graph_.inputs()) {
      if (const Value* value = value_of(input)) input_order_.emplace(value, input_order_.size());
    }
  }

  void visit(Node* node, const QuantizationAnnotation& annotation) {
    observe_inputs(node);
    if (annotation.output_qspec) observe_output(node);
  }

 private:
  std::optional<size_t> group_of(const EdgeOrNode& place) const {
    const auto found = sharing_.group_of.find(place);
    return found == sharing_.group_of.end() ? std::nullopt : std::optional(found->second);
  }

  void observe_inputs(Node* node) {
    for (Value* value : node->inputs()) {
      Value* observed = original(value);
      const auto group = group_of({observed, node});
      if (!group || writes_to_state(*node, observed)) continue;
      if (group_of({observed, nullptr}) == group && value != observed) continue;  // its output is observed already
      node->replace_input(value, observer_behind(value, *group));
    }
  }

  // An in-place operator on a buffer: the buffer itself must be reached, not a quantized copy.
  bool writes_to_state(const Node& node, const Value* value) const {
    if (value->producer() != nullptr) return false;
    const c10::OperatorHandle* op = find_operator(node.op());
    if (op == nullptr || op->schema().arguments().empty()) return false;
    const auto* alias = op->schema().arguments()[0].alias_info();
    return alias != nullptr && alias->isWrite() && value_of(node.args()[0].value) == value;
  }

  void observe_output(Node* node) {
    Value* value = node->values()[0];
    if (!value->is_tensor()) return;
    const std::vector<Node*> users = value->users();
    Value* observed = insert(value, *group_of({value, nullptr}));
    for (Node* user : users) user->replace_input(value, observed);
  }

  // An observer of `group` that stands behind `value` already, or a new one.
  Value* observer_behind(Value* value, size_t group) {
    for (Node* user : value->users()) {
      if (is_observe(user) && observer_index(user) == group) return user->output();
    }
    return insert(value, group);
  }

  Value* insert(Value* value, size_t group) {
    const std::string name = graph_.unique_name("activation_post_process");
    const std::vector<NamedArgument> args = {{"input", value}, {"observer", static_cast<int64_t>(group)}};
    Node* producer = value->producer();
    Node* node = producer != nullptr ? graph_.insert_after(producer, ops::kObserve, name, args)
                                     : graph_.insert_before(place_for_input(value), ops::kObserve, name, args);
    return graph_.add_output(node, name, value->meta());
  }

  // Observers of inputs stand at the start, in the order of the inputs, the newest of one input first.
  Node* place_for_input(const Value* input) {
    auto it = graph_.begin();
    while (it != graph_.end() && is_observe(&*it)) {
      const Value* other = original(it->output());
      const auto other_order = input_order_.find(other);
      if (other_order == input_order_.end() || other_order->second >= input_order_.at(input)) break;
      ++it;
    }
    return &*it;
  }

  Graph& graph_;
  const SharingGroups& sharing_;
  std::unordered_map<const Value*, size_t> input_order_;
};

}  // namespace

std::vector<PlacedObserver> insert_observers(Program& program, const Annotations& annotations,
                                             const SharingGroups& sharing) {
  std::vector<PlacedObserver> observers = make_observers(program, sharing);
  Inserter inserter(program, sharing);
  for (Node* node : program.graph().nodes_snapshot()) {
    if (const QuantizationAnnotation* annotation = annotations.find(node)) inserter.visit(node, *annotation);
  }
  return observers;
}

}  // namespace torquant
