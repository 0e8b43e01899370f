#pragma once

#include <string>
#include <vector>

namespace torquant {

// A place where a pass could have acted and did not.
struct Refusal {
  std::string node;  // "layer1.0.bn1 (%batch_norm_1, aten.batch_norm.default)"
  std::string reason;
};

// What a pass did.
struct PassResult {
  bool changed = false;
  std::vector<Refusal> refusals = {};

  void add(const PassResult& other) {
    changed |= other.changed;
    refusals.insert(refusals.end(), other.refusals.begin(), other.refusals.end());
  }
};

}  // namespace torquant
