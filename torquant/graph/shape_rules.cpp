#include "torquant/graph/shape_rules.h"

#include "torquant/core/error.h"
#include "torquant/graph/shape_call.h"

namespace torquant {
namespace {

constexpr std::string_view kAten = "aten.";

const shape::RuleTable& table() {
  static const shape::RuleTable rules = [] {
    shape::RuleTable table;
    shape::add_elementwise_rules(table);
    shape::add_layer_rules(table);
    shape::add_pool_rules(table);
    shape::add_view_rules(table);
    shape::add_split_join_rules(table);
    shape::add_reduction_rules(table);
    shape::add_quantize_rules(table);
    return table;
  }();
  return rules;
}

shape::Rule find_rule(std::string_view name) {
  if (name.starts_with(kAten)) name.remove_prefix(kAten.size());
  const auto found = table().find(name);
  return found == table().end() ? nullptr : found->second;
}

// "aten.relu_.default" → "aten.relu.default"; "" for an operator that does not work in place.
std::string out_of_place(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (!name.starts_with(kAten) || dot == std::string::npos || dot == 0 || name[dot - 1] != '_') return "";
  if (name.starts_with("aten.__")) return "";  // __and__, __or__
  return name.substr(0, dot - 1) + name.substr(dot);
}

std::optional<std::vector<ValueMeta>> apply_rule(const Node& node) {
  const shape::Call call(node);
  if (const shape::Rule rule = find_rule(node.op().name())) return rule(call);
  const shape::Rule rule = find_rule(out_of_place(node.op().name()));
  if (rule == nullptr) return std::nullopt;
  // In place: the result is the tensor itself, and what would be computed must fit it.
  const auto computed = rule(call);
  const TensorMeta& self = call.tensor(node.find_arg("self") != nullptr ? "self" : "input");
  if (computed && computed->size() == 1) {
    const auto& sizes = std::get<TensorMeta>(computed->front()).sizes;
    bool fits = sizes.size() == self.rank();
    for (size_t i = 0; fits && i < sizes.size(); ++i) fits = !contradict(sizes[i], self.sizes[i]);
    if (!fits) {
      call.fail("an in-place result of sizes " + shape::text_of(sizes) + " does not fit " + shape::text_of(self.sizes));
    }
  }
  return shape::Metas{self};
}

}  // namespace

bool has_shape_rule(const OpId& op) {
  return find_rule(op.name()) != nullptr || find_rule(out_of_place(op.name())) != nullptr;
}

std::optional<std::vector<ValueMeta>> infer(const Node& node) {
  try {
    return apply_rule(node);
  } catch (const Error& error) {  // of the arithmetic on sizes, which knows no node
    if (!error.where().empty()) throw;
    throw error.within(node.describe());
  }
}

}  // namespace torquant
