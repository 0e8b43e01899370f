#pragma once

#include <string>
#include <vector>

#include "torquant/graph/node.h"

namespace torquant {

// An activation that a backend computes together with the layer in front of it, as torchao's Inductor quantizers know
// it: by how the user wrote it. They take nn.SiLU and not F.silu, nn.ReLU and F.relu and not torch.relu. Every export
// notes that at the node, strict or not; where nothing is noted, the operator decides.
struct Activation {
  const char* name;                         // "relu"
  std::vector<OpId> ops;                    // their in-place twins too
  const char* module;                       // "torch.nn.modules.activation.ReLU"; null: however it is written
  std::vector<std::string> functions = {};  // as WrittenAs has them
};

bool is(const Node& node, const Activation& activation);

namespace activations {

inline const Activation kRelu{"relu",
                              {OpId("aten.relu.default")},
                              "torch.nn.modules.activation.ReLU",
                              {"function.relu", "builtin_function_or_method.relu_"}};
inline const Activation kHardtanh{"hardtanh",
                                  {OpId("aten.hardtanh.default")},
                                  "torch.nn.modules.activation.Hardtanh",
                                  {"function.hardtanh", "builtin_function_or_method.hardtanh_"}};
inline const Activation kRelu6{
    "relu6", {OpId("aten.hardtanh.default"), OpId("aten.relu6.default")}, "torch.nn.modules.activation.ReLU6"};
inline const Activation kHardswish{
    "hardswish", {OpId("aten.hardswish.default")}, "torch.nn.modules.activation.Hardswish"};
inline const Activation kSilu{"silu", {OpId("aten.silu.default")}, "torch.nn.modules.activation.SiLU"};
inline const Activation kLeakyRelu{
    "leaky_relu", {OpId("aten.leaky_relu.default")}, "torch.nn.modules.activation.LeakyReLU"};
inline const Activation kTanh{"tanh", {OpId("aten.tanh.default")}, "torch.nn.modules.activation.Tanh"};
inline const Activation kGelu{"gelu", {OpId("aten.gelu.default")}, "torch.nn.modules.activation.GELU"};

}  // namespace activations

// The operator of one of them, however it was written.
bool is_activation(const OpId& op);

}  // namespace torquant
