#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "torquant/graph/node.h"
#include "torquant/observer/observer_spec.h"

namespace torquant {

// A place of a graph where a value can be observed: the value itself (no consumer), or the edge from it to one node
// that reads it. torchao calls it EdgeOrNode.
struct EdgeOrNode {
  const Value* value = nullptr;
  const Node* consumer = nullptr;
  bool operator==(const EdgeOrNode&) const = default;
};
std::string to_string(const EdgeOrNode& place);  // "%x → %conv2d", or "%conv2d"

// The ways to say how a place is quantized (torchao pt2e/quantizer/quantizer.py).

// By an observer of its own.
struct QuantizationSpec {
  ObserverOptions options;
  ObserverSpec observer;
  bool operator==(const QuantizationSpec&) const = default;
};

// By qparams known beforehand.
struct FixedQParamsQuantizationSpec {
  ObserverOptions options;
  double scale = 1;
  int64_t zero_point = 0;
  bool operator==(const FixedQParamsQuantizationSpec&) const = default;
};

// By the observer of another place.
struct SharedQuantizationSpec {
  EdgeOrNode with;
};

// By qparams computed from those of other places: a bias from its input and weight.
using DeriveQParams = std::function<TensorQParams(const std::vector<const Observer*>& observers)>;
struct DerivedQuantizationSpec {
  std::vector<EdgeOrNode> derived_from = {};
  DeriveQParams derive_qparams = nullptr;
  ObserverOptions options = {};
};

using AnyQuantizationSpec =
    std::variant<QuantizationSpec, FixedQParamsQuantizationSpec, SharedQuantizationSpec, DerivedQuantizationSpec>;

// dtype, range, scheme and axis of a spec; null for a shared one.
const ObserverOptions* options_of(const AnyQuantizationSpec& spec);
std::string to_string(const AnyQuantizationSpec& spec);

// scale = product of the two scales, zero point 0: how an int32 bias is derived from input and weight.
TensorQParams derive_bias_qparams(const std::vector<const Observer*>& input_and_weight);

}  // namespace torquant

template <>
struct std::hash<torquant::EdgeOrNode> {
  size_t operator()(const torquant::EdgeOrNode& place) const noexcept {
    return std::hash<const void*>{}(place.value) * 31 + std::hash<const void*>{}(place.consumer);
  }
};
