#include "torquant/recipe/selector.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <regex>
#include <set>

#include "torquant/core/closest_name.h"
#include "torquant/core/error.h"
#include "torquant/graph/layers.h"
#include "torquant/recipe/size_condition.h"

namespace torquant {
namespace {

constexpr std::string_view kRegexPrefix = "re:";

constexpr size_t kMaxRegex = 1000;  // the compiler of regular expressions calls itself for each bracket
constexpr size_t kMaxDigits = 9;    // it reads {1234567890} and \1234567890 into an int, come what may

bool has_long_number(std::string_view text) {
  size_t digits = 0;
  return std::ranges::any_of(text, [&](char c) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    return digits > kMaxDigits;
  });
}

// A pattern, compiled once for all nodes.
class Pattern {
 public:
  explicit Pattern(const std::string& text) : text_(text) {
    if (!text.starts_with(kRegexPrefix)) return;
    // libstdc++'s other way of matching calls itself for each letter, and takes exponential time for some expressions.
    regex_.emplace(text.substr(kRegexPrefix.size()), std::regex::ECMAScript | std::regex_constants::__polynomial);
  }

  bool fits(const std::string& name) const {
    return regex_ ? std::regex_match(name, *regex_) : fnmatch(text_.c_str(), name.c_str(), 0) == 0;
  }

 private:
  std::string text_;
  std::optional<std::regex> regex_;
};

std::vector<std::string> module_paths(const Node& node) {
  std::vector<std::string> paths;
  for (const ModuleScope& scope : node.module_stack()) paths.push_back(scope.path);
  return paths;
}

std::vector<std::string> module_types(const Node& node) {
  std::vector<std::string> types;
  for (const ModuleScope& scope : node.module_stack()) {
    types.push_back(scope.type);
    types.push_back(scope.type.substr(scope.type.rfind('.') + 1));
  }
  return types;
}

std::vector<std::string> parameters(const Program& program, const Node& node) {
  std::vector<std::string> names;
  for (const Value* value : node.inputs()) {
    if (program.tensor_of(value) != nullptr) names.push_back(program.spec_of(value)->target);
  }
  return names;
}

// The parts that are names: what the recipe calls them, what was given, and the names that a node has.
struct NamePart {
  const char* key;
  const std::optional<std::string>& pattern;
  std::vector<std::string> (*names)(const Program&, const Node&);
};

std::vector<NamePart> name_parts(const Selector& selector) {
  return {
      {"module", selector.module, [](const Program&, const Node& node) { return module_paths(node); }},
      {"module_type", selector.module_type, [](const Program&, const Node& node) { return module_types(node); }},
      {"op", selector.op, [](const Program&, const Node& node) { return std::vector{node.op().name()}; }},
      {"parameter", selector.parameter, parameters},
  };
}

bool shape_fits(const std::vector<std::string>& conditions, const Node& node) {
  const Value* weight = node.input("weight");
  return weight != nullptr && weight->is_tensor() && sizes_fit(conditions, weight->tensor().sizes);
}

std::vector<const Node*> select_by_index(const Selector& selector, const std::vector<const Node*>& nodes) {
  std::vector<const Node*> layers;
  std::ranges::copy_if(nodes, std::back_inserter(layers), [](const Node* node) { return is_layer(*node); });
  const auto count = static_cast<int64_t>(layers.size());
  std::set<int64_t> wanted;
  for (const int64_t index : selector.index) {
    if (index < -count || index >= count) {
      throw Error({.where = "",
                   .what = fmt::format("index {}: {} layers to count", index, count),
                   .allowed = count == 0 ? "" : fmt::format("0 to {}, or -1 to -{} from the end", count - 1, count)});
    }
    wanted.insert(index < 0 ? index + count : index);
  }
  std::vector<const Node*> selected;
  for (const int64_t index : wanted) selected.push_back(layers[static_cast<size_t>(index)]);
  return selected;
}

}  // namespace

std::vector<const Node*> Selector::select(const Program& program) const {
  std::vector<const Node*> nodes;
  for (const Node& node : program.graph()) {
    if (weight_shape.empty() || shape_fits(weight_shape, node)) nodes.push_back(&node);
  }
  for (const NamePart& part : name_parts(*this)) {
    if (!part.pattern) continue;
    const Pattern pattern(*part.pattern);
    std::erase_if(nodes, [&](const Node* node) {
      return std::ranges::none_of(part.names(program, *node), [&](const auto& name) { return pattern.fits(name); });
    });
  }
  return index.empty() ? nodes : select_by_index(*this, nodes);
}

std::string Selector::text() const {
  std::vector<std::string> parts;
  for (const NamePart& part : name_parts(*this)) {
    if (part.pattern) parts.push_back(fmt::format("{} {}", part.key, *part.pattern));
  }
  if (!weight_shape.empty()) parts.push_back(fmt::format("weight_shape [{}]", fmt::join(weight_shape, ", ")));
  if (!index.empty()) parts.push_back(fmt::format("index {}", fmt::join(index, ", ")));
  return fmt::format("{}", fmt::join(parts, ", "));
}

void Selector::check(const std::string& where) const {
  bool any = !weight_shape.empty() || !index.empty();
  for (const NamePart& part : name_parts(*this)) {
    if (!part.pattern) continue;
    any = true;
    if (part.pattern->empty()) throw Error({.where = fmt::format("{}.{}", where, part.key), .what = "is empty"});
    const bool is_regex = part.pattern->starts_with(kRegexPrefix);
    if (is_regex && part.pattern->size() > kMaxRegex) {
      throw Error({.where = fmt::format("{}.{}", where, part.key),
                   .what = fmt::format("a regular expression of {} characters", part.pattern->size()),
                   .allowed = fmt::format("{}", kMaxRegex)});
    }
    if (is_regex && has_long_number(*part.pattern)) {
      throw Error({.where = fmt::format("{}.{}", where, part.key),
                   .what = fmt::format("\"{}\" has a number of more than {} digits", *part.pattern, kMaxDigits)});
    }
    try {
      const Pattern compiled(*part.pattern);
    } catch (const std::regex_error& error) {
      throw Error({.where = fmt::format("{}.{}", where, part.key),
                   .what = fmt::format("\"{}\" is no regular expression: {}", *part.pattern, error.what())});
    }
  }
  if (!any) {
    throw Error({.where = where,
                 .what = "selects nothing",
                 .allowed = "module, module_type, op, parameter, weight_shape, index"});
  }
  check_size_conditions(where + ".weight_shape", weight_shape);
}

std::string why_nothing(const Selector& selector, const Program& program) {
  for (const NamePart& part : name_parts(selector)) {
    if (!part.pattern) continue;
    const Pattern pattern(*part.pattern);
    std::set<std::string> names;
    for (const Node& node : program.graph()) {
      for (std::string& name : part.names(program, node)) names.insert(std::move(name));
    }
    if (std::ranges::any_of(names, [&](const std::string& name) { return pattern.fits(name); })) continue;
    const bool exact =
        part.pattern->find_first_of("*?[") == std::string::npos && !part.pattern->starts_with(kRegexPrefix);
    const std::string question = exact ? did_you_mean(*part.pattern, {names.begin(), names.end()}) : "";
    return fmt::format("no {} of the program is {}{}{}", part.key, *part.pattern, question.empty() ? "" : "; ",
                       question);
  }
  return "";
}

}  // namespace torquant
