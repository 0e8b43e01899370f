#pragma once

#include <string>

#include "graph_case.h"

namespace torquant::golden {

// One way in which we differ from torchao on purpose (docs/decisions/0003-differences-from-torchao.md).
struct PurposefulDifference {
  const char* reason;
  bool (*applies)(const GraphCase& golden);
  // What must hold instead of equality: "" where it does.
  std::string (*check)(const GraphCase& golden);
};

// The first that applies to a case of family pt2e; null for most.
const PurposefulDifference* find_purposeful(const GraphCase& golden);

}  // namespace torquant::golden
