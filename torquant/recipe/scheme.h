#pragma once

#include <string>
#include <vector>

namespace torquant {

// The scheme of what is not quantized.
inline constexpr const char* kFloatScheme = "float";

// How a layer is quantized. Each scheme but float is a built-in recipe, too: that scheme for everything.
struct Scheme {
  std::string name;
  std::string backend;  // who computes it on integers
  std::string summary;
  bool needs_data;              // calibration data
  bool rounds_to_data = false;  // weights are rounded so that layers err least on that data (algorithm/)
};

// THE list; quantizer/recipe_quantizer.cpp says which quantizer each one is.
const std::vector<Scheme>& schemes();
std::vector<std::string> scheme_names();
std::vector<std::string> built_in_recipes();  // without float
const Scheme* find_scheme(const std::string& name);

}  // namespace torquant
