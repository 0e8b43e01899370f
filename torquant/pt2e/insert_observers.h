#pragma once

#include <vector>

#include "torquant/pt2e/prepare.h"
#include "torquant/quantizer/sharing.h"

namespace torquant {

// Inserts a node torquant.observe.default behind each observed value, one per value and observer, read by the consumers
// that asked for it (torchao pt2e/prepare.py). Gives the observers by index.
std::vector<PlacedObserver> insert_observers(Program& program, const Annotations& annotations,
                                             const SharingGroups& sharing);

}  // namespace torquant
