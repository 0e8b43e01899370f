#include "torquant/recipe/selector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <regex>
#include <vector>

#include "torquant/core/error.h"

namespace torquant {
namespace {

constexpr std::string_view kRegexPrefix = "re:";

constexpr size_t kMaxRegex = 1000;  // the compiler of regular expressions calls itself for each bracket

// libstdc++'s other way of matching calls itself for each letter, and takes exponential time for some expressions.
std::regex regex_of(const std::string& pattern) {
  return std::regex(pattern.substr(kRegexPrefix.size()), std::regex::ECMAScript | std::regex_constants::__polynomial);
}

bool fits(const std::string& pattern, const std::string& name) {
  if (pattern.starts_with(kRegexPrefix)) {
    return std::regex_match(name, regex_of(pattern));
  }
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

}  // namespace

bool Selector::matches(const Node& node) const {
  if (op && !fits(*op, node.op().name())) return false;
  if (!module && !module_type) return true;
  const std::vector<ModuleScope> scopes = node.module_stack();
  const auto any_scope = [&](const auto& holds) { return std::any_of(scopes.begin(), scopes.end(), holds); };
  if (module && !any_scope([&](const ModuleScope& scope) { return fits(*module, scope.path); })) return false;
  return !module_type || any_scope([&](const ModuleScope& scope) {
    return fits(*module_type, scope.type) || fits(*module_type, scope.type.substr(scope.type.rfind('.') + 1));
  });
}

std::string Selector::text() const {
  std::vector<std::string> parts;
  if (module) parts.push_back("module " + *module);
  if (module_type) parts.push_back("module_type " + *module_type);
  if (op) parts.push_back("op " + *op);
  return fmt::format("{}", fmt::join(parts, ", "));
}

void check_pattern(const std::string& where, const std::string& pattern) {
  if (!pattern.starts_with(kRegexPrefix)) return;
  if (pattern.size() > kMaxRegex) {
    throw Error({.where = where,
                 .what = fmt::format("a regular expression of {} characters", pattern.size()),
                 .allowed = fmt::format("{}", kMaxRegex)});
  }
  try {
    regex_of(pattern);
  } catch (const std::regex_error& error) {
    throw Error({.where = where, .what = fmt::format("\"{}\" is no regular expression: {}", pattern, error.what())});
  }
}

}  // namespace torquant
