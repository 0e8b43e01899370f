#include "torquant/quantizer/sharing.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "torquant/core/error.h"

namespace torquant {
namespace {

// What two specs must agree in to share one observer: everything that fixes the grid (torchao prepare.py,
// _union_input_edge_with).
bool compatible(const AnyQuantizationSpec& a, const AnyQuantizationSpec& b) {
  if (a.index() != b.index()) return false;
  if (!(*options_of(a) == *options_of(b))) return false;
  const auto* fixed_a = std::get_if<FixedQParamsQuantizationSpec>(&a);
  const auto* fixed_b = std::get_if<FixedQParamsQuantizationSpec>(&b);
  return fixed_a == nullptr || (fixed_a->scale == fixed_b->scale && fixed_a->zero_point == fixed_b->zero_point);
}

class Resolver {
 public:
  Resolver(const Graph& graph, const Annotations& annotations) : graph_(graph), annotations_(annotations) {}

  SharingGroups resolve() {
    collect();
    join_references();
    join_implicitly();
    return groups();
  }

 private:
  struct Place {
    EdgeOrNode where;
    const AnyQuantizationSpec* spec;
    bool implicit;  // an input edge whose consumer allows implicit sharing
  };

  void collect() {
    for (const Node& node : graph_) {
      const QuantizationAnnotation* annotation = annotations_.find(&node);
      if (annotation == nullptr) continue;
      for (const auto& [value, spec] : annotation->input_qspec_map) {
        add({{value, &node}, &spec, annotation->allow_implicit_sharing});
      }
      if (annotation->output_qspec && !node.values().empty()) {
        add({{node.values()[0], nullptr}, &*annotation->output_qspec, false});
      }
    }
    parent_.resize(places_.size());
    std::iota(parent_.begin(), parent_.end(), size_t{0});
  }

  void add(Place place) {
    index_.emplace(place.where, places_.size());
    places_.push_back(place);
  }

  size_t find(size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }

  // The older place stands for the group, so that its spec is the one in force.
  void join(size_t a, size_t b) {
    a = find(a);
    b = find(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

  void join_references() {
    for (size_t i = 0; i < places_.size(); ++i) {
      const auto* shared = std::get_if<SharedQuantizationSpec>(places_[i].spec);
      if (shared == nullptr) continue;
      const auto target = index_.find(shared->with);
      if (target == index_.end()) {
        throw Error({.where = to_string(places_[i].where),
                     .what = fmt::format("shares the observer of {}, which has no quantization spec",
                                         to_string(shared->with))});
      }
      join(i, target->second);
    }
    root_spec_.assign(places_.size(), nullptr);
    // A place has one spec, so following references ends at one that is none, or in a ring: no group has two.
    for (size_t i = 0; i < places_.size(); ++i) {
      if (!std::holds_alternative<SharedQuantizationSpec>(*places_[i].spec)) root_spec_[find(i)] = places_[i].spec;
    }
    for (size_t i = 0; i < places_.size(); ++i) {
      if (root_spec_[find(i)] != nullptr) continue;
      throw Error({.where = to_string(places_[i].where),
                   .what = "its SharedQuantizationSpecs refer to each other in a ring; none says how to quantize"});
    }
  }

  // The other places of the same value: its other readers, then the value itself.
  void join_implicitly() {
    for (size_t i = 0; i < places_.size(); ++i) {
      if (!places_[i].implicit) continue;
      const Value* value = places_[i].where.value;
      for (const Node* user : value->users()) {
        if (user != places_[i].where.consumer) join_if_compatible(i, {value, user});
      }
      join_if_compatible(i, {value, nullptr});
    }
  }

  void join_if_compatible(size_t i, const EdgeOrNode& other) {
    const auto found = index_.find(other);
    if (found == index_.end()) return;
    const size_t a = find(i);
    const size_t b = find(found->second);
    if (a == b || !compatible(*root_spec_[a], *root_spec_[b])) return;
    join(a, b);
  }

  SharingGroups groups() {
    SharingGroups result;
    std::unordered_map<size_t, size_t> number;
    for (size_t i = 0; i < places_.size(); ++i) {
      const auto [entry, fresh] = number.try_emplace(find(i), result.groups.size());
      if (fresh) result.groups.push_back({{}, nullptr});
      SharingGroup& group = result.groups[entry->second];
      group.places.push_back(places_[i].where);
      if (group.spec == nullptr && !std::holds_alternative<SharedQuantizationSpec>(*places_[i].spec)) {
        group.spec = places_[i].spec;
      }
      result.group_of[places_[i].where] = entry->second;
    }
    return result;
  }

  const Graph& graph_;
  const Annotations& annotations_;
  std::vector<Place> places_;
  std::unordered_map<EdgeOrNode, size_t> index_;
  std::vector<size_t> parent_;
  std::vector<const AnyQuantizationSpec*> root_spec_;  // by group representative
};

}  // namespace

SharingGroups resolve_sharing(const Graph& graph, const Annotations& annotations) {
  return Resolver(graph, annotations).resolve();
}

}  // namespace torquant
