#pragma once

#include <string>
#include <vector>

#include "torquant/graph/node.h"

namespace torquant {

// Chooses nodes of a program. Every field that is set must fit; none set chooses every node.
//
// `module` and `module_type` are patterns: a name, a glob with * (any characters) and ? (one), or a regular expression
// behind "re:" (ECMAScript) that must fit the whole name. They fit a node when they fit any module around it, so
// "layer1" also chooses layer1.0.conv1.
struct Selector {
  std::string module = {};       // "layer1.*.conv1"
  std::string module_type = {};  // "torch.nn.modules.conv.Conv2d", or its last part: "Conv2d"
  std::string op = {};           // "aten.linear.default", or without the overload: "aten.linear"

  // Throws Error where a regular expression is malformed.
  bool matches(const Node& node) const;
  std::string text() const;  // "module layer1.*, op aten.linear"
};

// Whether `name` fits `pattern` as a whole, in the form that Selector describes.
bool fits_pattern(const std::string& pattern, const std::string& name);

}  // namespace torquant
