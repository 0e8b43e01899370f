#include "torquant/recipe/size_condition.h"

#include <fmt/format.h>

#include <cstdint>
#include <regex>
#include <variant>

#include "torquant/core/error.h"

namespace torquant {
namespace {

bool size_fits(const std::string& condition, const Dim& dim) {
  if (condition == "*") return true;
  const auto* size = std::get_if<int64_t>(&dim);
  if (size == nullptr) return false;
  const size_t digits = condition.find_first_of("0123456789");
  const int64_t bound = std::stoll(condition.substr(digits));
  const std::string relation = condition.substr(0, digits);
  if (relation == ">=") return *size >= bound;
  if (relation == "<=") return *size <= bound;
  if (relation == ">") return *size > bound;
  if (relation == "<") return *size < bound;
  return *size == bound;
}

}  // namespace

void check_size_conditions(const std::string& where, const std::vector<std::string>& conditions) {
  static const std::regex pattern(kSizeConditionPattern);
  for (size_t i = 0; i < conditions.size(); ++i) {
    const bool more = conditions[i] == kMoreAxes;
    if (more ? i + 1 == conditions.size() : std::regex_match(conditions[i], pattern)) continue;
    throw Error({.where = where,
                 .what = more ? "\"...\" stands before the end"
                              : fmt::format("axis {}: \"{}\" is no condition on a size", i, conditions[i]),
                 .allowed = R"(64, ">=64", "<=64", ">64", "<64", "*"; "..." at the end)"});
  }
}

bool sizes_fit(const std::vector<std::string>& conditions, const std::vector<Dim>& sizes) {
  const bool more = !conditions.empty() && conditions.back() == kMoreAxes;
  const size_t axes = conditions.size() - (more ? 1 : 0);
  if (more ? sizes.size() < axes : sizes.size() != axes) return false;
  for (size_t i = 0; i < axes; ++i) {
    if (!size_fits(conditions[i], sizes[i])) return false;
  }
  return true;
}

}  // namespace torquant
