#include "torquant/quantizer/node_filter.h"

#include <algorithm>

#include "torquant/core/error.h"

namespace torquant {

NodeFilter inside_module_named(std::string path) {
  return [path = std::move(path)](const Node& node) {
    return std::ranges::any_of(node.module_stack(), [&](const ModuleScope& scope) { return scope.path == path; });
  };
}

NodeFilter inside_module_of_type(std::string type) {
  return [type = std::move(type)](const Node& node) {
    return std::ranges::any_of(node.module_stack(), [&](const ModuleScope& scope) {
      return scope.type == type || scope.type.ends_with("." + type);
    });
  };
}

void check_selects_any(const Program& program, const std::string& what, const NodeFilter& filter) {
  if (std::any_of(program.graph().begin(), program.graph().end(), filter)) return;
  throw Error({.where = what, .what = "selects no node of the program"});
}

}  // namespace torquant
