#pragma once

#include <string>
#include <vector>

#include "torquant/graph/value.h"

namespace torquant {

// Conditions on sizes, one an axis: "64", ">=64", "<=64", ">64", "<64", "*" for any size; "..." at the end for any axes
// more.

// A regular expression (of ECMAScript, as JSON Schema takes them) for one condition; "..." is not among them.
inline constexpr const char* kSizeConditionPattern = "^(\\*|(>=|<=|>|<)?[0-9]{1,18})$";
inline constexpr const char* kMoreAxes = "...";

// Throws Error, beginning with `where`, that names the malformed one.
void check_size_conditions(const std::string& where, const std::vector<std::string>& conditions);

// A size that is not known before the program runs fits "*" alone.
bool sizes_fit(const std::vector<std::string>& conditions, const std::vector<Dim>& sizes);

}  // namespace torquant
