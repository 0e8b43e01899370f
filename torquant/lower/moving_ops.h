#pragma once

#include <optional>

#include "torquant/graph/node.h"
#include "torquant/graph/op_id.h"
#include "torquant/lower/grid.h"

namespace torquant {

// pad(self, pad, value): what every constant pad on codes becomes.
inline const OpId kConstantPad{"aten.constant_pad_nd.default"};

// Operators that only pick and move values, so that they give the same on codes as on numbers: max_pool2d, cat, pad
// with a constant, dropout outside of training, and those on shapes.
bool moves_values(const Node& node);

// Turns such an operator on numbers into the one on codes of `grid`. False where there is no kernel for it; the node is
// then as it was. Its inputs stay the caller's business.
bool move_on_codes(Node& node, const Grid& grid);

}  // namespace torquant
