#include "torquant/recipe/scheme.h"

#include <algorithm>

namespace torquant {

const std::vector<Scheme>& schemes() {
  static const std::vector<Scheme> kSchemes = {
      {.name = "int8-static",
       .backend = "oneDNN on x86-64 (--lower onednn)",
       .summary = "uint8 activations, int8 weights per channel rounded to the data; sums and pools on integers",
       .needs_data = true,
       .rounds_to_data = true},
      {.name = "xnnpack-static",
       .backend = "XNNPACK, oneDNN",
       .summary = "int8 activations, int8 weights per channel",
       .needs_data = true},
      {.name = "xnnpack-static-per-tensor",
       .backend = "XNNPACK, oneDNN",
       .summary = "int8 activations, int8 weights with one scale a tensor",
       .needs_data = true},
      {.name = "x86-static",
       .backend = "Inductor, oneDNN on x86-64",
       .summary = "uint8 activations, int8 weights per channel",
       .needs_data = true},
      {.name = "x86-static-reduce-range",
       .backend = "Inductor, oneDNN on x86-64 without VNNI",
       .summary = "x86-static with 7-bit activations, which cannot overflow 16-bit sums",
       .needs_data = true},
      {.name = "arm-static",
       .backend = "Inductor on AArch64",
       .summary = "int8 activations, int8 weights per channel",
       .needs_data = true},
      {.name = "int8-dynamic",
       .backend = "Torquant's runtime, XNNPACK",
       .summary = "linear layers: int8 activations with a scale for each token, int8 weights per channel",
       .needs_data = false},
      {.name = "xnnpack-dynamic",
       .backend = "XNNPACK",
       .summary = "linear layers and 2-D convolutions: int8 activations scaled at run time, int8 weights per channel",
       .needs_data = false},
      {.name = "x86-dynamic",
       .backend = "Inductor on x86-64",
       .summary = "layers and products: uint8 activations scaled at run time, int8 weights per channel",
       .needs_data = false},
      {.name = kFloatScheme, .backend = "any", .summary = "left as it is", .needs_data = false},
  };
  return kSchemes;
}

std::vector<std::string> scheme_names() {
  std::vector<std::string> names;
  for (const Scheme& scheme : schemes()) names.push_back(scheme.name);
  return names;
}

std::vector<std::string> built_in_recipes() {
  std::vector<std::string> names = scheme_names();
  std::erase(names, kFloatScheme);
  return names;
}

const Scheme* find_scheme(const std::string& name) {
  const auto found = std::ranges::find(schemes(), name, &Scheme::name);
  return found == schemes().end() ? nullptr : &*found;
}

}  // namespace torquant
