#include "torquant/quantizer/activation.h"

#include <algorithm>

#include "torquant/quantizer/match.h"

namespace torquant {
namespace {

// "aten.relu_.default" is the in-place twin of "aten.relu.default".
bool computes(const OpId& op, const Activation& activation) {
  return std::ranges::any_of(activation.ops, [&](const OpId& known) {
    if (op == known) return true;
    const std::string& name = known.name();
    const size_t overload = name.rfind('.');
    return op.name() == name.substr(0, overload) + "_" + name.substr(overload);
  });
}

}  // namespace

bool is(const Node& node, const Activation& activation) {
  if (!computes(node.op(), activation)) return false;
  if (activation.module == nullptr) return true;
  const WrittenAs written = written_as(node);
  if (!written.module.empty()) return written.module == activation.module;
  return written.function.empty() ||
         std::ranges::find(activation.functions, written.function) != activation.functions.end();
}

bool is_activation(const OpId& op) {
  using namespace activations;
  const Activation* const all[] = {&kRelu, &kHardtanh, &kRelu6, &kHardswish, &kSilu, &kLeakyRelu, &kTanh, &kGelu};
  return std::ranges::any_of(all, [&](const Activation* activation) { return computes(op, *activation); });
}

}  // namespace torquant
