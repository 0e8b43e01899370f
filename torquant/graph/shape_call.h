#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "torquant/graph/node.h"

// What the rules of shape_rules.h are written in.
namespace torquant::shape {

using Dims = std::vector<Dim>;
using Metas = std::vector<ValueMeta>;
using Result = std::optional<Metas>;

// One operator call as a rule sees it. Getters throw Error, naming node and argument, for a missing or unfit one.
class Call {
 public:
  explicit Call(const Node& node) : node_(node) {}

  const Node& node() const { return node_; }
  [[noreturn]] void fail(std::string what, std::string allowed = {}) const;
  void check(bool holds, std::string_view what) const;

  const TensorMeta& tensor(std::string_view name) const;
  const TensorMeta* optional_tensor(std::string_view name) const;
  std::vector<const TensorMeta*> tensors(std::string_view name) const;

  bool is_none(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  bool boolean(std::string_view name) const;
  std::optional<at::ScalarType> dtype(std::string_view name) const;  // nothing when None
  std::vector<int64_t> integers(std::string_view name, size_t expected = 0) const;
  // Sizes may be computed in the graph; nothing when one of them is not known.
  std::optional<Dims> dims(std::string_view name) const;
  std::optional<Dim> dim(std::string_view name) const;

  // `axis` counted from the front; an Error outside -rank … rank - 1 (a rank of 0 counts as 1).
  size_t axis(int64_t axis, size_t rank) const;
  size_t axis(std::string_view name, size_t rank) const { return axis(integer(name), rank); }
  // The axes of an int[]? argument as flags; absent or empty: all.
  std::vector<bool> axes(std::string_view name, size_t rank) const;

  // The common dtype of the named tensors and scalars by ATen's rules (docs: torch.result_type).
  at::ScalarType promoted(std::initializer_list<std::string_view> names) const;
  // The sizes that they broadcast to; scalars have none.
  Dims broadcast(std::initializer_list<std::string_view> names) const;
  Dims broadcast(const Dims& a, const Dims& b) const;

  // Results on the device of the first tensor.
  TensorMeta result(at::ScalarType dtype, Dims sizes) const;
  Metas one(at::ScalarType dtype, Dims sizes) const { return {result(dtype, std::move(sizes))}; }
  Metas with_sizes(Dims sizes) const { return one(tensor("self").dtype, std::move(sizes)); }  // self's dtype
  Metas same(std::string_view name) const { return one(tensor(name).dtype, tensor(name).sizes); }

 private:
  Argument argument(std::string_view name) const;
  const Node& node_;
};

using Rule = Result (*)(const Call&);
using RuleTable = std::unordered_map<std::string_view, Rule>;

// "[2, s0]"
std::string text_of(const Dims& dims);
Dim product(const Dims& dims);
at::ScalarType float_of(at::ScalarType dtype);  // itself, or the default float for integers

// The rules by kind, each in a file of its own; "aten." is left out.
void add_elementwise_rules(RuleTable& table);
void add_layer_rules(RuleTable& table);
void add_pool_rules(RuleTable& table);
void add_view_rules(RuleTable& table);
void add_split_join_rules(RuleTable& table);
void add_reduction_rules(RuleTable& table);
void add_quantize_rules(RuleTable& table);

}  // namespace torquant::shape
