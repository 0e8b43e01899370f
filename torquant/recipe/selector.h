#pragma once

#include <optional>
#include <string>
#include <vector>

#include "torquant/graph/program.h"

namespace torquant {

// Selects nodes of a program. All parts that are given must hold; at least one is.
//
// A pattern is an exact name, a glob (`features.*`: * and ? stand for any characters, dots too) or, behind "re:", a
// regular expression that matches the whole name.
struct Selector {
  std::optional<std::string> module = std::nullopt;       // path of a module around the node: "layer1.0"
  std::optional<std::string> module_type = std::nullopt;  // type of one: "torch.nn.modules.conv.Conv2d", or "Conv2d"
  std::optional<std::string> op = std::nullopt;           // the operator: "aten.linear.default"
  std::optional<std::string> parameter = std::nullopt;    // a tensor of the state that it reads: "layer1.0.weight"
  // The shape of the weight that it reads, a condition an axis: "64", ">=64", "<=64", ">64", "<64", "*" for any size;
  // "..." at the end for any axes more. {"*", "<16", "..."}: fewer than 16 input channels.
  std::vector<std::string> weight_shape = {};
  // Which of the layers (graph/layers.h) that the other parts select, in the order of the program: 0 is the first one,
  // -1 the last. {0, -1} alone: the program's first and last layer.
  std::vector<int64_t> index = {};

  // In the order of the program. Throws Error for an index beyond the layers that the other parts select.
  std::vector<const Node*> select(const Program& program) const;
  // Throws Error, beginning with `where`, for a selector without parts, an empty name, a malformed regular expression
  // or shape.
  void check(const std::string& where) const;
  std::string text() const;  // "module features.*, op aten.linear.default"
};

// What to tell a user whose selector selects nothing of the program: the name that was probably meant, or which part
// is in the way. May be empty.
std::string why_nothing(const Selector& selector, const Program& program);

}  // namespace torquant
