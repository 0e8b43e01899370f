#include "torquant/pass/aliasing.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "torquant/graph/operator_schema.h"

namespace torquant {

bool writes_in_place(const Node& node) {
  const c10::OperatorHandle* op = find_operator(node.op());
  return op != nullptr && op->schema().is_mutable();
}

bool may_alias(const Node& node) {
  const c10::OperatorHandle* op = find_operator(node.op());
  if (op == nullptr) return true;
  const auto& returns = op->schema().returns();
  const bool annotated = std::any_of(returns.begin(), returns.end(), [](auto& r) { return r.alias_info() != nullptr; });
  return annotated || node.op().name().find("dropout") != std::string::npos;  // gives its input back in inference
}

bool is_written(const Value* value) {
  std::unordered_set<const Value*> same_memory = {value};
  std::vector<const Value*> open = {value};
  const auto reach = [&](const Value* other) {
    if (same_memory.insert(other).second) open.push_back(other);
  };
  while (!open.empty()) {
    const Value* next = open.back();
    open.pop_back();
    if (next->producer() != nullptr && may_alias(*next->producer())) {
      for (const Value* viewed : next->producer()->inputs()) reach(viewed);
    }
    for (const Node* user : next->users()) {
      if (writes_in_place(*user)) return true;
      if (!may_alias(*user)) continue;
      for (const Value* view : user->values()) reach(view);
    }
  }
  return false;
}

}  // namespace torquant
