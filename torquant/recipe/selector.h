#pragma once

#include <optional>
#include <string>

#include "torquant/graph/node.h"

namespace torquant {

// Selects nodes of a program. All parts that are given must hold; at least one is.
//
// A pattern is an exact name, a glob (`features.*`: * and ? stand for any characters, dots too) or, behind "re:", a
// regular expression that matches the whole name.
struct Selector {
  std::optional<std::string> module = std::nullopt;       // path of a module around the node: "layer1.0"
  std::optional<std::string> module_type = std::nullopt;  // type of one: "torch.nn.modules.conv.Conv2d", or "Conv2d"
  std::optional<std::string> op = std::nullopt;           // the operator: "aten.linear.default"

  bool matches(const Node& node) const;
  std::string text() const;  // "module features.*, op aten.linear.default"
};

// Throws Error, beginning with `where`, for a malformed regular expression.
void check_pattern(const std::string& where, const std::string& pattern);

}  // namespace torquant
