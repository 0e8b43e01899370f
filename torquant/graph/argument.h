#pragma once

#include <c10/core/Device.h>
#include <c10/core/Layout.h>
#include <c10/core/MemoryFormat.h>
#include <c10/core/ScalarType.h>
#include <c10/util/FunctionRef.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace torquant {

class Graph;
class Value;

// The body of a higher-order operator.
struct SubgraphArgument {
  std::string name;
  std::shared_ptr<Graph> graph;
};

// An operator passed by name to a higher-order operator ("torch.ops.aten.mm.default").
struct OperatorArgument {
  std::string name;
  bool operator==(const OperatorArgument&) const = default;
};

// An argument kind that is carried through untouched, as the archive's JSON; running it is an error.
struct OpaqueArgument {
  std::string json;
  bool operator==(const OpaqueArgument&) const = default;
};

// A list of sizes of which some are computed: a constant or a scalar value each.
using ScalarOrValue = std::variant<int64_t, double, bool, Value*>;

// What a node can be given. A null Value* in a list of values is a missing optional tensor.
using Argument = std::variant<std::monostate, Value*, bool, int64_t, double, std::string, at::ScalarType, at::Layout,
                              at::MemoryFormat, at::Device, std::vector<Value*>, std::vector<bool>,
                              std::vector<int64_t>, std::vector<double>, std::vector<std::string>,
                              std::vector<ScalarOrValue>, SubgraphArgument, OperatorArgument, OpaqueArgument>;

inline bool is_none(const Argument& argument) { return std::holds_alternative<std::monostate>(argument); }
inline Value* value_of(const Argument& argument) {
  Value* const* value = std::get_if<Value*>(&argument);
  return value == nullptr ? nullptr : *value;
}

// Calls `visit` with each value that the argument reads, in order; the const form cannot exchange them.
void for_each_value(const Argument& argument, c10::function_ref<void(Value*)> visit);
void for_each_value(Argument& argument, c10::function_ref<void(Value*&)> visit);

// An argument with the name that the operator's schema gives it.
struct NamedArgument {
  std::string name;
  Argument value;
  bool keyword = false;  // passed by keyword in the source program
};

}  // namespace torquant
