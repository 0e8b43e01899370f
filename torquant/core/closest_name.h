#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace torquant {

// What `name` was probably meant to be: the candidate that takes the fewest letters added, left out, exchanged or
// swapped with their neighbour, up to a third of the name's. Empty if there is none; the first of equals.
std::string closest_name(std::string_view name, const std::vector<std::string>& candidates);

// "did you mean \"scheme\"?", for an error's hint; empty where no candidate is close.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace torquant
