#include "torquant/recipe/selector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <regex>

#include "torquant/core/error.h"

namespace torquant {
namespace {

// Glob by backtracking to the last star: linear in practice, no recursion.
bool fits_glob(std::string_view pattern, std::string_view name) {
  size_t p = 0;
  size_t n = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return std::all_of(pattern.begin() + static_cast<std::ptrdiff_t>(p), pattern.end(), [](char c) { return c == '*'; });
}

bool fits_regex(const std::string& pattern, const std::string& name) {
  try {
    return std::regex_match(name, std::regex(pattern));
  } catch (const std::regex_error& error) {
    throw Error({.where = "selector", .what = fmt::format("regular expression \"{}\": {}", pattern, error.what())});
  }
}

}  // namespace

bool fits_pattern(const std::string& pattern, const std::string& name) {
  constexpr std::string_view kRegex = "re:";
  if (pattern.starts_with(kRegex)) return fits_regex(pattern.substr(kRegex.size()), name);
  return fits_glob(pattern, name);
}

bool Selector::matches(const Node& node) const {
  if (!op.empty()) {
    const std::string& name = node.op().name();
    if (name != op && name.substr(0, name.rfind('.')) != op) return false;
  }
  if (module.empty() && module_type.empty()) return true;
  const std::vector<ModuleScope> scopes = node.module_stack();
  const auto inside = [&](auto&& fits) { return std::any_of(scopes.begin(), scopes.end(), fits); };
  if (!module.empty() && !inside([&](const ModuleScope& s) { return fits_pattern(module, s.path); })) return false;
  return module_type.empty() || inside([&](const ModuleScope& s) {
           return fits_pattern(module_type, s.type) || fits_pattern(module_type, s.type.substr(s.type.rfind('.') + 1));
         });
}

std::string Selector::text() const {
  std::vector<std::string> parts;
  if (!module.empty()) parts.push_back("module " + module);
  if (!module_type.empty()) parts.push_back("module_type " + module_type);
  if (!op.empty()) parts.push_back("op " + op);
  return parts.empty() ? "everything" : fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace torquant
