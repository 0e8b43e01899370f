#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "torquant/graph/program.h"

namespace torquant {

using NodeFilter = std::function<bool(const Node&)>;

// Nodes inside the module of that path ("layer1.0.conv1"), or the module itself.
NodeFilter inside_module_named(std::string path);
// Nodes inside modules of that type: "torch.nn.modules.conv.Conv2d", or the end of it: "Conv2d".
NodeFilter inside_module_of_type(std::string type);

// Throws Error, with `what` as its place, when no node of the program passes.
void check_selects_any(const Program& program, const std::string& what, const NodeFilter& filter);

// A quantizer's rules of one kind, by what they name, in the order in which they were first given.
template <typename Key, typename Config>
using RuleList = std::vector<std::pair<Key, Config>>;

template <typename Key, typename Config>
void set_rule(RuleList<Key, Config>& rules, Key key, Config config) {
  for (auto& [known, old] : rules) {
    if (known == key) {
      old = std::move(config);
      return;
    }
  }
  rules.emplace_back(std::move(key), std::move(config));
}

}  // namespace torquant
