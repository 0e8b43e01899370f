#pragma once

#include <optional>
#include <string>
#include <vector>

#include "torquant/graph/op_id.h"
#include "torquant/observer/observer_spec.h"

namespace torquant {

// One thing that a quantizer can do: a pattern of operators, with what is quantized of it, and how.
struct Capability {
  std::string quantizer;                                     // "X86InductorQuantizer"
  std::string pattern;                                       // "conv2d + add + relu"
  std::vector<OpId> ops;                                     // the operators at its heart: "aten.conv2d.default"
  std::optional<ObserverOptions> activation = std::nullopt;  // nothing: it stays in float
  std::optional<ObserverOptions> weight = std::nullopt;
  bool on_request = false;  // not by set_global: a rule has to name the operator, or a module around it
  bool follows = false;     // only behind a quantized operator: output and input share one observer
};

// "static", "dynamic" or "weight only".
std::string mode_of(const Capability& capability);
// "uint8 [0, 255], per_tensor_affine"; "float" for nothing.
std::string scheme_text(const std::optional<ObserverOptions>& options);

// "conv2d" of "aten.conv2d.default".
std::string short_name(const OpId& op);

// Whether one of them quantizes this operator without being asked by name.
bool serves(const std::vector<Capability>& capabilities, const OpId& op);

}  // namespace torquant
