#pragma once

#include <unordered_map>
#include <vector>

#include "torquant/quantizer/annotation.h"

namespace torquant {

// Places that use one observer, and the spec that it is made from.
struct SharingGroup {
  std::vector<EdgeOrNode> places;   // in graph order, inputs of a node before its output
  const AnyQuantizationSpec* spec;  // the first of the group that is not itself a reference
};

struct SharingGroups {
  std::vector<SharingGroup> groups;
  std::unordered_map<EdgeOrNode, size_t> group_of;
};

// Resolves who shares an observer with whom: a union-find over places, independent of the order of annotations.
//
// Two places are in one group when one names the other in a SharedQuantizationSpec; or, where the consumer allows
// implicit sharing, when they hold the same value and their groups' specs agree in everything but the observer.
// Throws Error, naming the places, when a reference leads to a place without a spec, or references form a ring.
SharingGroups resolve_sharing(const Graph& graph, const Annotations& annotations);

}  // namespace torquant
