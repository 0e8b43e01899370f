#include "torquant/quantizer/capability.h"

#include <algorithm>

namespace torquant {

std::string mode_of(const Capability& capability) {
  if (!capability.activation) return "weight only";
  return capability.activation->is_dynamic ? "dynamic" : "static";
}

std::string scheme_text(const std::optional<ObserverOptions>& options) {
  return options ? to_string(*options) : "float";
}

std::string short_name(const OpId& op) {
  const std::string& name = op.name();
  const size_t first = name.find('.') + 1;
  return name.substr(first, name.rfind('.') - first);
}

bool serves(const std::vector<Capability>& capabilities, const OpId& op) {
  return std::ranges::any_of(capabilities, [&](const Capability& capability) {
    return !capability.on_request && std::ranges::find(capability.ops, op) != capability.ops.end();
  });
}

}  // namespace torquant
