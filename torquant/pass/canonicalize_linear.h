#pragma once

#include "torquant/graph/program.h"

namespace torquant {

// The part of canonicalize() that finds linear layers in matrix products. True when the node became one.
bool rewrite_as_linear(Program& program, Node* node);

}  // namespace torquant
